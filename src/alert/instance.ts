/** What one alert is about: the values of the rule's `by` labels. */
import { createHash } from "node:crypto";

export type Labels = Readonly<Record<string, string>>;

/** The key of the single instance of a rule without `by`. */
export const WHOLE = "all";

/** PagerDuty allows 255 characters for the whole dedup key: system, rule and separators need the rest. */
const KEY_LENGTH_MAX = 150;

/**
 * The same trouble has the same key over restarts, releases and processes: PagerDuty folds by it, and
 * automation matches its beginning.
 */
export function dedupKeyOf(system: string, rule: string, instance: string): string {
  return `${system}/${rule}/${instance}`;
}

/** The part of the labels that makes an instance; a missing label is the empty text. */
export function instanceLabels(labels: Labels, by: readonly string[]): Labels {
  return Object.fromEntries(by.map((name) => [name, labels[name] ?? ""]));
}

/** Equal labels have equal keys over restarts and releases: incidents abroad are found by them. */
export function instanceKey(labels: Labels): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return WHOLE;
  const key = pairs.map(([name, value]) => `${name}=${escaped(value)}`).join(",");
  if (key.length <= KEY_LENGTH_MAX) return key;
  const digest = createHash("sha256").update(key).digest("hex").slice(0, 32);
  return `${key.slice(0, KEY_LENGTH_MAX - digest.length - 1)}~${digest}`;
}

/** The labels that a key was made of; none where it was cut, since a part of a value is another value. */
export function labelsOf(key: string): Labels {
  if (key === WHOLE || key.includes("~")) return {};
  const pairs = key.split(",").map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), decodeURIComponent(pair.slice(at + 1))];
  });
  return Object.fromEntries(pairs);
}

/** Without this, `a="1,b=2"` and `a="1", b="2"` would be one instance. */
function escaped(value: string): string {
  return value.replace(/[%,=~\s]/g, (char) => encodeURIComponent(char).replace("~", "%7E"));
}
