/** Values of a policy as a reviewer reads them: durations, percentages, lists, selectors. */
import { formatDuration } from "../base/duration.js";
import type { Json } from "../base/json.js";
import { isFields } from "./layout.js";
import type { AlertRule, PolicySet, Selector, Signal } from "./policy.js";
import { selectorsOf } from "./selectors.js";
import { type SignalUnit, unitOfSignal } from "./threshold.js";

/** Longer texts are cut: a diff shows that they changed, the pull request shows how. */
const TEXT_MAX = 80;

/** Milliseconds. */
export function duration(ms: number): string {
  return Number.isInteger(ms) ? formatDuration(ms) : `${ms} ms`;
}

export function days(count: number): string {
  return `${count} ${count === 1 ? "day" : "days"}`;
}

/** A fraction. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(12))} %`;
}

export function plain(value: number): string {
  return String(value);
}

/** A threshold in the unit in which the signal is compared. */
export function threshold(value: number, unit: SignalUnit): string {
  if (unit === "ratio") return percent(value);
  if (unit === "ms") return duration(value);
  if (unit === "s") return duration(value * 1000);
  if (unit === "bytes") return bytes(value);
  return unit === "perMinute" ? `${value} per minute` : String(value);
}

const BYTE_UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** In the largest unit that says it exactly. */
export function bytes(value: number): string {
  let amount = value;
  let unit = 0;
  while (unit < BYTE_UNITS.length - 1 && amount >= 1024 && amount % 1024 === 0) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount} ${BYTE_UNITS[unit]}`;
}

/** The unit in which the thresholds of a rule are compared; `number` when its metric is not known. */
export function unitOfRule({ signal }: AlertRule, metrics: PolicySet["metrics"]): SignalUnit {
  if (signal.form === "div") return "number";
  const { metric } = selectorsOf(signal)[0]!;
  const unit = metrics[metric]?.unit ?? "number";
  return unitOfSignal(signal.form, unit, signal.form === "agg" ? signal.fn : undefined);
}

/** `algobrain.jobs.pending{worker_type="gc"}`. */
export function selector({ metric, where }: Selector): string {
  const labels = Object.entries(where).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return labels.length === 0 ? metric : `${metric}{${labels.join(", ")}}`;
}

/** `avg of algobrain.jobs.pending over 10m`. */
export function signal(of: Signal): string {
  switch (of.form) {
    case "last":
      return `newest ${selector(of.of)}`;
    case "age":
      return `age of ${selector(of.of)}`;
    case "agg":
      return `${of.fn} of ${selector(of.of)} over ${duration(of.overMs)}`;
    case "rate":
    case "increase":
      return `${of.form} of ${selector(of.of)} over ${duration(of.overMs)}`;
    case "ratio":
      return `${selector(of.num)} / ${selector(of.all)} over ${duration(of.overMs)}`;
    case "div":
      return `${of.fn} of ${selector(of.num)} / ${selector(of.den)} over ${duration(of.overMs)}`;
    case "burn":
      return `burn of ${percent(of.slo)} by ${selector(of.bad)} / ${selector(of.all)} over ${duration(of.longMs)} and ${duration(of.shortMs)}`;
  }
}

/** Any value in one short line. */
export function value(json: Json | undefined): string {
  if (json === undefined || json === null) return "none";
  if (typeof json === "string") return cut(json);
  if (Array.isArray(json)) return json.length === 0 ? "none" : cut(json.map(value).join(", "));
  if (!isFields(json)) return String(json);
  const parts = Object.entries(json).map(([key, inner]) => `${key} ${value(inner as Json)}`);
  return parts.length === 0 ? "none" : cut(parts.join(", "));
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}
