/** What would flood people, or keep the evaluator from ever being done: thresholds of nothing, loosened guards, huge windows. */
import { formatDuration, MINUTE_MS } from "../../base/duration.js";
import type { AdoptionLimits, AlertLevel, AlertRule, PolicySet } from "../policy.js";
import type { Held } from "./held.js";

/** A receiver may hear this many times as much a minute. */
const PER_MINUTE_FACTOR = 3;
/** The same alert is said again no sooner. */
const REPEAT_MIN_MS = 5 * MINUTE_MS;
/** Of the work of all rules: milliseconds of window looked at in each millisecond. */
const WORK_FACTOR = 10;
const WORK_FLOOR = 10_000;

export function findStormHarm(before: PolicySet, after: PolicySet): Held[] {
  return [
    ...findEmptyThresholds(before, after),
    ...findLoosenedLimits(before.adoption, after.adoption),
    ...findLoosenedReceivers(before, after),
    ...findLateStorms(before, after),
    ...findRepeats(before, after),
    ...findHeavyEvaluation(before, after),
  ];
}

/** A threshold that any value is beyond, where it was none before. */
function findEmptyThresholds(before: PolicySet, after: PolicySet): Held[] {
  const known = new Map(before.alerts.flatMap(({ levels }) => levels).map((one) => [one.id, one]));
  return after.alerts.flatMap((rule) =>
    rule.levels.flatMap((level): Held[] => {
      const was = known.get(level.id);
      if (!was || isEmpty(was) || !isEmpty(level)) return [];
      const subject = `${level.id} ${rule.name}`;
      const sentence = `${subject}: ${level.op} ${level.value} is true of any value (it was ${was.op} ${was.value})`;
      return [{ reason: "pages-newly", subject, sentence }];
    }),
  );
}

/** Nothing that is measured falls below zero. */
function isEmpty({ op, value }: AlertLevel): boolean {
  return op.startsWith(">") && value <= 0;
}

/** Which way is looser: 1 upward, -1 downward. */
const LOOSER: Readonly<Record<keyof AdoptionLimits, 1 | -1>> = {
  newPagesMax: 1,
  stormPages: 1,
  retentionMargin: 1,
  canaryMs: -1,
  probationMs: -1,
};

function findLoosenedLimits(before: AdoptionLimits, after: AdoptionLimits): Held[] {
  return (Object.keys(LOOSER) as (keyof AdoptionLimits)[]).flatMap((name): Held[] => {
    const [from, to] = [before[name], after[name]];
    if ((to - from) * LOOSER[name] <= 0) return [];
    const sentence = `adoption.${name} would go from ${from} to ${to}: the next policy would be held back less`;
    return [{ reason: "storm-guards-loosened", subject: `adoption.${name}`, sentence }];
  });
}

function findLoosenedReceivers(before: PolicySet, after: PolicySet): Held[] {
  return Object.values(after.routes.receivers).flatMap(({ name, perMinuteMax }): Held[] => {
    const was = before.routes.receivers[name]?.perMinuteMax;
    if (was === undefined || perMinuteMax <= PER_MINUTE_FACTOR * was) return [];
    const sentence = `${name} could be told ${perMinuteMax} times a minute instead of ${was}`;
    return [{ reason: "storm-guards-loosened", subject: `routes.receivers.${name}`, sentence }];
  });
}

/** A storm that begins three times as late is as many words one by one. */
function findLateStorms(before: PolicySet, after: PolicySet): Held[] {
  const [was, is] = [before.monitoring.storm.perMinute, after.monitoring.storm.perMinute];
  if (is <= PER_MINUTE_FACTOR * was) return [];
  const sentence = `a storm would begin at ${is} new alerts a minute instead of ${was}`;
  return [{ reason: "storm-guards-loosened", subject: "monitoring.storm", sentence }];
}

function findRepeats(before: PolicySet, after: PolicySet): Held[] {
  const known = new Map(before.alerts.map(({ name, repeatMs }) => [name, repeatMs]));
  return after.alerts.flatMap(({ name, repeatMs }): Held[] => {
    const was = known.get(name) ?? REPEAT_MIN_MS;
    if (repeatMs >= REPEAT_MIN_MS || was < REPEAT_MIN_MS) return [];
    const sentence = `${name} would be said again every ${formatDuration(repeatMs)}`;
    return [{ reason: "storm-guards-loosened", subject: name, sentence }];
  });
}

function findHeavyEvaluation(before: PolicySet, after: PolicySet): Held[] {
  const [was, is] = [workOf(before), workOf(after)];
  if (is <= WORK_FLOOR || is <= WORK_FACTOR * was) return [];
  const sentence = `evaluating all rules would look at ${Math.round(is / Math.max(was, 1))} times as many samples as now`;
  return [{ reason: "evaluation-too-heavy", subject: "alerts", sentence }];
}

function workOf({ alerts }: PolicySet): number {
  return alerts.reduce((sum, { signal, everyMs }) => {
    return sum + windowOf(signal) / everyMs;
  }, 0);
}

function windowOf(signal: AlertRule["signal"]): number {
  if (signal.form === "burn") return signal.longMs + signal.shortMs;
  return "overMs" in signal ? signal.overMs : MINUTE_MS;
}
