/** What a rule measures and when it speaks, in words: for those who ask why. */
import { unreachable } from "../base/assert.js";
import { formatDuration } from "../base/duration.js";
import type { Aggregate, AlertLevel, AlertRule, Selector, Signal, Unit } from "../policy/policy.js";
import { formatValue } from "./alert-message.js";

/** `the avg of algobrain.jobs.pending over 10m, when the whole window has samples`. */
export function signalText(signal: Signal): string {
  switch (signal.form) {
    case "last":
      return `the newest value of ${selectorText(signal.of)}`;
    case "agg":
      return windowText(signal, `the ${signal.fn} of ${selectorText(signal.of)}`);
    case "rate":
      return `how much ${selectorText(signal.of)} grows a second, over ${formatDuration(signal.overMs)}`;
    case "increase":
      return `how much ${selectorText(signal.of)} grew in ${formatDuration(signal.overMs)}`;
    case "ratio":
      return `${selectorText(signal.num)} as a share of ${selectorText(signal.all)} over ${formatDuration(signal.overMs)}, when there were at least ${signal.minAll}`;
    case "div":
      return windowText(
        signal,
        `the ${signal.fn} of ${selectorText(signal.num)} by that of ${selectorText(signal.den)}`,
      );
    case "age":
      return `the seconds since ${selectorText(signal.of)}`;
    case "burn":
      return burnText(signal);
    default:
      return unreachable(signal);
  }
}

function windowText(
  { overMs, fullWindow }: { fn: Aggregate; overMs: number; fullWindow: boolean },
  what: string,
): string {
  const full = fullWindow ? ", when the whole window has samples" : "";
  return `${what} over ${formatDuration(overMs)}${full}`;
}

function burnText({ bad, all, slo, longMs, shortMs, minAll }: Extract<Signal, { form: "burn" }>) {
  const windows = `${formatDuration(longMs)} and ${formatDuration(shortMs)}`;
  return (
    `how many times too fast the error budget of ${slo} is spent, the smaller of ${windows}: ` +
    `${selectorText(bad)} of ${selectorText(all)}, when there were at least ${minAll}`
  );
}

function selectorText({ metric, where }: Selector): string {
  const pairs = Object.entries(where).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? metric : `${metric}{${pairs.join(", ")}}`;
}

/** `> 1000 for 5m`; `> 1000 in 3 of 5 ticks`. */
export function firesText({ op, value, forMs, mOf }: AlertLevel, unit: Unit): string {
  const lasting = mOf ? ` in ${mOf[0]} of ${mOf[1]} ticks` : forText(forMs);
  return `${op} ${formatValue(value, unit)}${lasting}`;
}

/** Null: one good tick ends it. */
export function recoversText({ recover }: AlertLevel, unit: Unit): string | null {
  return recover && `${recover.op} ${formatValue(recover.value, unit)}${forText(recover.forMs)}`;
}

function forText(ms: number): string {
  return ms > 0 ? ` for ${formatDuration(ms)}` : "";
}

/** What a tick without data means to the rule. */
export function noDataText({ noData }: Pick<AlertRule, "noData">): string {
  if (!noData) return "missing samples are what it measures";
  const after = `after ${formatDuration(noData.afterMs)} without data`;
  const then = {
    hold: "clocks stand still for as long as there is none",
    ok: `${after} it counts as good`,
    breach: `${after} it counts as over the threshold`,
    alert: `${after} that is told`,
  };
  return then[noData.then];
}
