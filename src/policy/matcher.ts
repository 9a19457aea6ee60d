/**
 * Matchers of silences as Alertmanager 0.25 writes them: `rule="queue-depth-high"`, `worker_type=~"index|score"`
 * (github.com/prometheus/alertmanager/pkg/labels, ParseMatcher). A name, one of four operators, a value with or
 * without quotes.
 */
import { type ReadPattern, readPattern, SUBJECT_MAX } from "./safe-pattern.js";

export interface Matcher {
  readonly name: string;
  readonly value: string;
  /** An anchored regular expression. */
  readonly isRegex: boolean;
  /** False for `!=` and `!~`. */
  readonly isEqual: boolean;
}

export type ReadMatcher =
  | { readonly ok: true; readonly value: Matcher }
  /** What was found and what was expected. */
  | { readonly ok: false; readonly reason: string };

const FORM = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!=|!~|=)\s*([\s\S]*?)\s*$/;

export function readMatcher(text: string): ReadMatcher {
  const [, name, operator, written] = FORM.exec(text) ?? [];
  if (name === undefined || operator === undefined || written === undefined)
    return {
      ok: false,
      reason: 'expected a label, one of = != =~ !~ and a value: rule="api-down"',
    };
  const value = written.startsWith('"') ? unquote(written) : bare(written);
  if (value === null)
    return {
      ok: false,
      reason: 'expected a value within double quotes, " and \\ inside it as \\" and \\\\',
    };
  const isRegex = operator.endsWith("~");
  return { ok: true, value: { name, value, isRegex, isEqual: operator.startsWith("=") } };
}

const ESCAPED: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", n: "\n" };

/** Null when a quote or a backslash stands alone. */
function unquote(written: string): string | null {
  if (!/^"(?:[^"\\]|\\["\\n])*"$/.test(written)) return null;
  return written.slice(1, -1).replace(/\\(.)/g, (_, one: string) => ESCAPED[one]!);
}

function bare(written: string): string | null {
  return written.includes('"') ? null : written;
}

/** Whether all of them match. A label that is not there is the empty text. An unsafe pattern matches nothing. */
export function matchesAll(
  matchers: readonly Matcher[],
  labels: Readonly<Record<string, string>>,
): boolean {
  // A label may be called constructor, and every object has one.
  const textOf = (name: string) => (Object.hasOwn(labels, name) ? labels[name]! : "");
  return matchers.every((matcher) => isMatch(matcher, textOf(matcher.name)));
}

function isMatch(matcher: Matcher, text: string): boolean {
  const { value, isRegex, isEqual } = matcher;
  if (!isRegex) return (text === value) === isEqual;
  const pattern = patternOf(matcher);
  return pattern.ok && text.length <= SUBJECT_MAX && pattern.value.test(text) === isEqual;
}

/** Thousands of alerts are held against one matcher. */
const compiled = new WeakMap<Matcher, ReadPattern>();

function patternOf(matcher: Matcher): ReadPattern {
  const pattern = compiled.get(matcher) ?? readPattern(matcher.value);
  compiled.set(matcher, pattern);
  return pattern;
}

/** As people write it; `readMatcher` reads it back. */
export function printMatcher({ name, value, isRegex, isEqual }: Matcher): string {
  const operator = isRegex ? (isEqual ? "=~" : "!~") : isEqual ? "=" : "!=";
  const written = value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n");
  return `${name}${operator}"${written}"`;
}
