/** Whether somebody who must be woken still would be: sev1 levels that go silent, fire later, or not at all. */

import { formatDuration, HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import { canonicalJson } from "../../base/json.js";
import type { AlertLevel, AlertRule, PolicySet } from "../policy.js";
import type { Held, HoldReason } from "./held.js";

interface Placed {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
}

interface Pair {
  readonly was: Placed;
  readonly is: Placed;
}

/** A page may come this much later, and no more: four times the delay, or an hour. */
const DELAY_FACTOR = 4;
const DELAY_MAX_MS = HOUR_MS;
/** Below this nobody sleeps longer or shorter. */
const DELAY_NOTICED_MS = MINUTE_MS;
/** A threshold twice as far away is another threshold. */
const LOOSER_FACTOR = 2;
/** 1 − 0.9 is a little less than 0.1 in binary fractions. */
const ROUNDED = 1e-9;

export function findPageHarm(before: PolicySet, after: PolicySet): Held[] {
  const levels = levelsById(after);
  const held = [...levelsById(before).values()].flatMap((was) => {
    if (was.level.severity !== "sev1" || isWaiting(was.rule)) return [];
    const is = levels.get(was.level.id);
    if (!is) return [holdLevel("sev1-silenced", was, "is gone: nobody would be woken by it")];
    const silenced = silencedBy(before, after, { was, is });
    if (silenced) return [holdLevel("sev1-silenced", was, silenced)];
    const hiddenBy = hidingParent(was.rule, is.rule, after);
    if (hiddenBy) return [holdLevel("sev1-silenced", is, hiddenBy)];
    return [...findLooser(before, { was, is }), ...findDelayed({ was, is })];
  });
  return [...held, ...findSilentRuntime(before, after)];
}

function levelsById(set: PolicySet): Map<string, Placed> {
  return new Map(
    set.alerts.flatMap((rule) => rule.levels.map((level) => [level.id, { rule, level }] as const)),
  );
}

function holdLevel(reason: HoldReason, { rule, level }: Placed, what: string): Held {
  const subject = `${level.id} ${rule.name}`;
  return { reason, subject, sentence: `${subject} (${level.severity}) ${what}` };
}

/** Rules on metrics that nobody emits yet are not judged at all. */
function isWaiting({ waitsFor = [] }: AlertRule): boolean {
  return waitsFor.length > 0;
}

function pages({ routes }: PolicySet, receivers: readonly string[]): boolean {
  return receivers.some((name) => routes.receivers[name]?.kind === "pagerduty");
}

function silencedBy(before: PolicySet, after: PolicySet, { was, is }: Pair): string | null {
  if (is.level.severity !== "sev1") return `would be ${is.level.severity}`;
  if (pages(before, was.level.notify) && !pages(after, is.level.notify))
    return `would page nobody: none of ${is.level.notify.join(", ") || "no receiver"} leads to PagerDuty`;
  if (isWaiting(is.rule)) return `would wait for ${is.rule.waitsFor?.join(", ")}, which is planned`;
  return null;
}

/** Held back by a rule that wakes nobody itself, the trouble wakes nobody either. */
function hidingParent(was: AlertRule, is: AlertRule, after: PolicySet): string | null {
  const known = new Set(was.inhibitedBy.map(({ rule }) => rule));
  const parent = is.inhibitedBy.find(({ rule }) => !known.has(rule) && !isPaging(rule, after));
  return parent ? `would be held back while ${parent.rule} fires, which pages nobody` : null;
}

/** Of every level: the mildest that fires holds back already. */
function isPaging(name: string, set: PolicySet): boolean {
  const rule = set.alerts.find((one) => one.name === name);
  return (
    rule !== undefined && !isWaiting(rule) && rule.levels.every(({ notify }) => pages(set, notify))
  );
}

function findSilentRuntime(before: PolicySet, after: PolicySet): Held[] {
  const [was, is] = [before, after].map(({ routes }) => routes.runtimeReceivers.critical);
  if (!pages(before, was ?? []) || pages(after, is ?? [])) return [];
  const subject = "routes.runtimeReceivers.critical";
  const sentence = "safe mode and escalations would page nobody: no receiver leads to PagerDuty";
  return [{ reason: "sev1-silenced", subject, sentence }];
}

function findLooser(before: PolicySet, pair: Pair): Held[] {
  const { was, is } = pair;
  const hold = (what: string) => [holdLevel("sev1-looser", is, what)];
  if (subjectOf(was) !== subjectOf(is))
    return hold("would measure something else: nobody can say whether it still fires");
  if (isMuchLooser(pair, isShare(before, was.rule)))
    return hold(`would fire at ${is.level.op} ${is.level.value} instead of ${was.level.value}`);
  const speaks = (rule: AlertRule) => ["breach", "alert"].includes(rule.noData?.then ?? "");
  if (speaks(was.rule) && !speaks(is.rule)) return hold("would no longer take silence for trouble");
  const [least, most] = [minAllOf(was.rule), minAllOf(is.rule)];
  return most > LOOSER_FACTOR * least && most > 1
    ? hold(`would judge from ${most} on instead of ${least}`)
    : [];
}

/** What is measured, without the numbers that are compared by themselves. */
function subjectOf({ rule, level }: Placed): string {
  const {
    overMs: _,
    minAll: __,
    fullWindow: ___,
    ...signal
  } = rule.signal as Record<string, unknown> & {
    readonly overMs?: unknown;
    readonly minAll?: unknown;
    readonly fullWindow?: unknown;
  };
  return canonicalJson({ signal, combine: rule.combine, by: rule.by, side: level.op[0] });
}

function minAllOf({ signal }: AlertRule): number {
  return "minAll" in signal ? signal.minAll : 0;
}

/** A fraction of a whole, 0 to 1. */
function isShare({ metrics }: PolicySet, { signal, levels }: AlertRule): boolean {
  if (signal.form === "ratio") return true;
  if (signal.form === "div") return levels.every(({ value }) => value >= 0 && value <= 1);
  return signal.form !== "burn" && metrics[signal.of.metric]?.unit === "ratio";
}

/** Twice as far away or, of a share, beyond half of what is left. */
function isMuchLooser({ was, is }: Pair, share: boolean): boolean {
  const upward = is.level.op.startsWith(">");
  const [from, to] = [was.level.value, is.level.value];
  if (upward ? to <= from : to >= from) return false;
  if (!share) return upward ? to >= LOOSER_FACTOR * from : to <= from / LOOSER_FACTOR;
  // "below 95 %" looks at the 5 % that are missing.
  const [near, far] = upward ? [from, to] : [1 - from, 1 - to];
  return far + ROUNDED >= LOOSER_FACTOR * near || 1 - far <= (1 - near) / 2 + ROUNDED;
}

function findDelayed({ was, is }: Pair): Held[] {
  const delays = [
    ["could fire", delayOf(was), delayOf(is)],
    ["would be told again", was.rule.cooldownMs, is.rule.cooldownMs],
    ["would take silence for trouble", silenceOf(was.rule), silenceOf(is.rule)],
  ] as const;
  return delays.flatMap(([what, from, to]) => {
    const later = to - from;
    const isLate = later > DELAY_MAX_MS || to > DELAY_FACTOR * from;
    if (!isLate || later <= DELAY_NOTICED_MS) return [];
    const words = `${what} after ${formatDuration(to)} instead of ${formatDuration(from)}`;
    return [holdLevel("sev1-delayed", is, words)];
  });
}

/** From the trouble to the page, at the latest: the window must fill, the condition hold, the group wait. */
function delayOf({ rule, level }: Placed): number {
  const { signal, everyMs, groupWaitMs } = rule;
  const overMs = "overMs" in signal ? signal.overMs : 0;
  // A burn rate rises at once: its windows say how much, not how long. Of n ticks it takes m.
  const heldMs = level.mOf ? level.mOf[0] * everyMs : level.forMs;
  return overMs + heldMs + everyMs + groupWaitMs;
}

function silenceOf({ noData }: AlertRule): number {
  return noData && (noData.then === "breach" || noData.then === "alert") ? noData.afterMs : 0;
}
