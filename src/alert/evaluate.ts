/**
 * The one evaluator: production, backtests and tests call `stepRule` (design 3, decision 10). Pure:
 * readings and the time go in, the next state and what changed come out.
 */
import { DAY_MS } from "../base/duration.js";
import type { AlertLevel, AlertRule } from "../policy/policy.js";
import { stepLevel, type Tick } from "./level.js";
import type { Reading } from "./signal.js";
import {
  type InstanceState,
  type LevelState,
  levelIndex,
  type RuleState,
  shapeOf,
  type Transition,
} from "./state.js";

export interface StepInput {
  readonly rule: AlertRule;
  readonly state: RuleState;
  /** Instances that are missing here but known to the state have no data. */
  readonly readings: readonly Reading[];
  readonly now: Date;
}

export interface Step {
  readonly state: RuleState;
  readonly transitions: readonly Transition[];
}

/** An instance that is quiet and without data for this long is forgotten: a removed queue, a renamed kind. */
const FORGET_AFTER_MS = DAY_MS;

export function stepRule(input: StepInput): Step {
  const { rule, state } = input;
  const now = input.now.getTime();
  const readings = new Map(input.readings.map((reading) => [reading.instance, reading]));
  for (const [instance, { labels }] of Object.entries(state)) {
    if (!readings.has(instance)) readings.set(instance, { instance, labels, value: null });
  }
  const next: Record<string, InstanceState> = {};
  const transitions: Transition[] = [];
  for (const reading of readings.values()) {
    const before = state[reading.instance] ?? fresh(rule, reading, now);
    const after = stepInstance(rule, before, reading, now);
    const transition = changeOf(rule, reading.instance, before, after);
    if (transition) transitions.push(transition);
    if (!isForgettable(rule, after, now)) next[reading.instance] = after;
  }
  return { state: next, transitions };
}

function fresh(rule: AlertRule, reading: Reading, now: number): InstanceState {
  return {
    shape: shapeOf(rule),
    labels: reading.labels,
    knownSince: now,
    // As if the tick before had been seen: a new instance has lost no time.
    tickAt: now - rule.everyMs,
    value: null,
    valueAt: null,
    levels: {},
    level: null,
    severity: null,
    since: null,
    begun: null,
    endedByEdit: false,
    told: null,
    cooling: null,
  };
}

function stepInstance(
  rule: AlertRule,
  former: InstanceState,
  reading: Reading,
  now: number,
): InstanceState {
  const before = underTodaysRule(rule, former, now);
  const value = numberOf(rule, before, reading, now);
  const levels = stepLevels(rule, wake(rule, before, now), tickOf(rule, before, value, now), now);
  const top = rule.levels.findLast(({ id }) => levels[id]?.phase === "firing");
  return {
    ...before,
    labels: reading.labels,
    tickAt: now,
    ...(value === null ? {} : { value, valueAt: now }),
    levels,
    level: top?.id ?? null,
    severity: top?.severity ?? null,
    since: top ? levels[top.id]!.activeAt : null,
    begun: top ? (before.begun ?? { level: top.id, at: now }) : null,
    endedByEdit: !top && before.endedByEdit,
  };
}

/**
 * An edited signal, `by` or comparison starts afresh; an edited value or `for` keeps the clocks of what
 * still breaches. What people were told is never forgotten: they are owed the end.
 */
function underTodaysRule(rule: AlertRule, former: InstanceState, now: number): InstanceState {
  const shape = shapeOf(rule);
  const sameShape = former.shape === shape;
  const levels: Levels = Object.fromEntries(
    rule.levels.flatMap(({ id, op }): [string, LevelState][] => {
      const state = former.levels[id];
      return sameShape && state?.op === op ? [[id, state]] : [];
    }),
  );
  const endedByEdit =
    former.endedByEdit || (former.level !== null && levels[former.level] === undefined);
  const base = { ...former, levels, endedByEdit };
  return sameShape ? base : { ...base, shape, knownSince: now, value: null, valueAt: null };
}

/** The `age` form is defined on missing data: what was never seen is as old as our waiting for it. */
function numberOf(
  rule: AlertRule,
  before: InstanceState,
  reading: Reading,
  now: number,
): number | null {
  if (reading.value !== null && Number.isFinite(reading.value)) return reading.value;
  return rule.signal.form === "age" ? (now - before.knownSince) / 1_000 : null;
}

/** Whether whole ticks were missed since the last: we were down. */
function wasAsleep(rule: AlertRule, before: InstanceState, now: number): boolean {
  return now - before.tickAt >= 2 * rule.everyMs;
}

/**
 * Time in which nobody evaluated counts as no data, but only to hold or to forgive: `breach` and
 * `alert` speak of the measured system's silence, and our own restart must page nobody.
 */
function wake(rule: AlertRule, before: InstanceState, now: number): Levels {
  if (!wasAsleep(rule, before, now)) return before.levels;
  const lostMs = now - rule.everyMs - before.tickAt;
  const forgives = rule.noData?.then === "ok" && lostMs >= rule.noData.afterMs;
  const tick: Tick = forgives ? { kind: "good" } : { kind: "hold", lostMs };
  return stepEach(rule, before.levels, () => tick, now - rule.everyMs);
}

function tickOf(rule: AlertRule, before: InstanceState, value: number | null, now: number): Tick {
  if (value !== null) return { kind: "value", value };
  const lostMs = wasAsleep(rule, before, now) ? rule.everyMs : now - before.tickAt;
  const missingMs = now - (before.valueAt ?? before.knownSince);
  const then = rule.noData && missingMs >= rule.noData.afterMs ? rule.noData.then : "hold";
  if (then === "hold") return { kind: "hold", lostMs };
  return { kind: then === "ok" ? "good" : then };
}

function stepLevels(rule: AlertRule, before: Levels, tick: Tick, now: number): Levels {
  const strictest = rule.levels.length - 1;
  // Declared silence raises the strictest level at once: it may hide the worst.
  const tickFor = (i: number): Tick =>
    tick.kind === "alert" && i < strictest ? { kind: "breach" } : tick;
  const levels = stepEach(rule, before, tickFor, now);
  const firing = rule.levels.findLastIndex(({ id }) => levels[id]?.phase === "firing");
  // Critical implies warning: what is beyond the stricter line need not wait at the milder one.
  const implied = rule.levels.slice(0, Math.max(firing, 0)).flatMap(({ id }) => {
    const state = levels[id];
    return state ? [[id, { ...state, phase: "firing" as const }] as const] : [];
  });
  return { ...levels, ...Object.fromEntries(implied) };
}

function stepEach(
  rule: AlertRule,
  before: Levels,
  tickFor: (index: number) => Tick,
  now: number,
): Levels {
  const entries = rule.levels.flatMap((level, i): [string, LevelState][] => {
    const state = stepLevel(level, before[level.id] ?? null, tickFor(i), now);
    return state ? [[level.id, state]] : [];
  });
  return Object.fromEntries(entries);
}

/** Only the highest level is news; pending is news only while nothing fires. */
function changeOf(
  rule: AlertRule,
  instance: string,
  before: InstanceState,
  after: InstanceState,
): Transition | null {
  const change = levelChange(rule, before, after) ?? pendingChange(rule, before, after);
  if (!change) return null;
  const value = after.valueAt === after.tickAt ? after.value : null;
  return { rule: rule.name, instance, ...change, value, at: after.tickAt };
}

type Change = Pick<Transition, "kind" | "level" | "severity">;

function levelChange(rule: AlertRule, before: InstanceState, after: InstanceState): Change | null {
  const was = standing(before);
  const is = standing(after);
  if (was?.level === is?.level) return null;
  if (!was) return is && { kind: "fired", ...is };
  if (!is) return { kind: after.endedByEdit ? "ended-by-edit" : "resolved", ...was };
  const isWorse = levelIndex(rule, is.level) > levelIndex(rule, was.level);
  return { kind: isWorse ? "upgraded" : "downgraded", ...is };
}

function standing({ level, severity }: InstanceState): Omit<Change, "kind"> | null {
  return level !== null && severity !== null ? { level, severity } : null;
}

function pendingChange(
  rule: AlertRule,
  before: InstanceState,
  after: InstanceState,
): Change | null {
  if (before.level !== null || after.level !== null) return null;
  const was = pendingLevel(rule, before);
  const is = pendingLevel(rule, after);
  if (!was && is) return { kind: "pending", level: is.id, severity: is.severity };
  if (was && !is) return { kind: "pending-ended", level: was.id, severity: was.severity };
  return null;
}

function pendingLevel(rule: AlertRule, state: InstanceState): AlertLevel | undefined {
  return rule.levels.findLast(({ id }) => state.levels[id] !== undefined);
}

/** Absence is what the `age` form measures, so it forgets nobody. */
function isForgettable(rule: AlertRule, state: InstanceState, now: number): boolean {
  const isQuiet = Object.keys(state.levels).length === 0 && state.told === null;
  const isCooling = state.cooling !== null && now < state.cooling.at + rule.cooldownMs;
  const silentMs = now - (state.valueAt ?? state.knownSince);
  const isOneOfMany = rule.by.length > 0 && rule.signal.form !== "age";
  return isOneOfMany && isQuiet && !isCooling && silentMs >= FORGET_AFTER_MS;
}

type Levels = InstanceState["levels"];
