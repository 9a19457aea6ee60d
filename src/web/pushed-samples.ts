/** Which samples are taken from outside: only of metrics that the catalogue expects from there, and only of now. */
import { storable } from "../alert/chunk.js";
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { Metric } from "../policy/policy.js";
import { expectedThreshold, isPossible } from "../policy/threshold.js";
import type { Sample } from "../store/samples.js";

export interface PushedSample {
  readonly metric: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** ISO 8601 with a zone; default: now. */
  readonly at?: string;
  readonly value: number;
}

export interface RefusedSample {
  /** Its place in the list. */
  readonly index: number;
  readonly why: string;
}

/** An alert looks at the last minutes: what is older belongs to nobody's window, what is younger is a wrong clock. */
const LATE_MAX_MS = HOUR_MS;
const EARLY_MAX_MS = MINUTE_MS;
/** With a zone: a time without one is somebody's local time, and nobody knows whose. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** Each sample is judged by itself: one that is refused takes no other with it. */
export function judgePushed(
  pushed: readonly PushedSample[],
  metrics: Readonly<Record<string, Metric>>,
  now: Date,
): { readonly taken: Sample[]; readonly refused: RefusedSample[] } {
  const taken: Sample[] = [];
  const refused: RefusedSample[] = [];
  pushed.forEach((one, index) => {
    const verdict = judge(one, metrics, now);
    if (typeof verdict === "string") refused.push({ index, why: verdict });
    else taken.push(verdict);
  });
  return { taken, refused };
}

/** The sample as it is kept; or, in one clause, why it is not. */
function judge(
  { metric: name, labels = {}, at: given, value }: PushedSample,
  metrics: Readonly<Record<string, Metric>>,
  now: Date,
): Sample | string {
  const metric = Object.hasOwn(metrics, name) ? metrics[name] : undefined;
  if (metric === undefined) return `metrics.yaml has no metric ${JSON.stringify(name)}`;
  if (metric.source !== "outside")
    return `${name} is measured by ${metric.source}, and taken from nobody else`;
  const foreign = Object.keys(labels).find((label) => !metric.labels.includes(label));
  if (foreign !== undefined)
    return `${name} has no label ${JSON.stringify(foreign)}, but ${metric.labels.join(", ") || "none"}`;
  if (!isPossible(value, metric.unit))
    return `${value} is no ${metric.unit}: expected ${expectedThreshold(metric.unit)}`;
  const at = given === undefined ? now : timeOf(given);
  const kept = storable(value, metric.kind, metric.unit);
  return whyNotNow(at, now) ?? { metric: name, labels, at, value: kept };
}

function whyNotNow(at: Date, now: Date): string | null {
  const ageMs = now.getTime() - at.getTime();
  if (Number.isNaN(ageMs)) return "`at` must be a time with a zone, such as 2026-01-31T12:00:00Z";
  if (ageMs > LATE_MAX_MS) return "`at` is more than an hour ago";
  return ageMs < -EARLY_MAX_MS ? "`at` is more than a minute ahead of our clock" : null;
}

function timeOf(text: string): Date {
  return new Date(ISO_TIME.test(text) ? text : Number.NaN);
}
