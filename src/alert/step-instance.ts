/** One instance of a rule over one tick: what it read goes in, what is remembered comes out. */
import { DAY_MS } from "../base/duration.js";
import type { AlertRule } from "../policy/policy.js";
import type { CompiledRule } from "./compile.js";
import type { Labels } from "./instance.js";
import { stepLevel, type Tick } from "./level.js";
import { type InstanceState, type LevelState, ringKey } from "./state.js";
import { isWindowLevel, pushPoint, stepWindowLevel } from "./window-level.js";

/** An instance that is quiet and without data for this long is forgotten: a removed queue, a renamed kind. */
const FORGET_AFTER_MS = DAY_MS;

export function freshInstance(
  { rule, shape }: CompiledRule,
  labels: Labels,
  now: number,
): InstanceState {
  return {
    ...{ shape, labels },
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

/** @param reading null: no data */
export function stepInstance(
  compiled: CompiledRule,
  former: InstanceState,
  labels: Labels,
  reading: number | null,
  now: number,
): InstanceState {
  const { rule } = compiled;
  const before = underTodaysRule(compiled, former, now);
  const value = numberOf(rule, before, reading, now);
  const tick = tickOf(rule, before, value, now);
  const memory = stepLevels(rule, wake(rule, before, now), tick, now);
  const top = rule.levels.findLast(({ id }) => memory.levels[id]?.phase === "firing");
  const hasValue = value !== null;
  // Each field by name: copying ten thousand states a tick by `...` takes thrice as long.
  return {
    shape: before.shape,
    labels,
    knownSince: before.knownSince,
    tickAt: now,
    value: hasValue ? value : before.value,
    valueAt: hasValue ? now : before.valueAt,
    levels: memory.levels,
    rings: memory.rings,
    seen: hasValue,
    held: tick.kind === "hold",
    level: top?.id ?? null,
    severity: top?.severity ?? null,
    since: top ? memory.levels[top.id]!.activeAt : null,
    begun: top ? (before.begun ?? { level: top.id, at: now }) : null,
    endedByEdit: !top && before.endedByEdit,
    told: before.told,
    cooling: before.cooling,
  };
}

function isEmpty(levels: Levels): boolean {
  for (const _ in levels) return false;
  return true;
}

/**
 * An edited signal, `by` or comparison starts afresh; an edited value or `for` keeps the clocks of what
 * still breaches. What people were told is never forgotten: they are owed the end.
 */
function underTodaysRule(
  { rule, shape }: CompiledRule,
  former: InstanceState,
  now: number,
): InstanceState {
  const sameShape = former.shape === shape;
  if (sameShape && isJudgedBy(rule, former.levels)) return former;
  const levels: Levels = Object.fromEntries(
    rule.levels.flatMap(({ id, op }): [string, LevelState][] => {
      const state = former.levels[id];
      return sameShape && state?.op === op ? [[id, state]] : [];
    }),
  );
  const endedByEdit =
    former.endedByEdit || (former.level !== null && levels[former.level] === undefined);
  const { rings: _, ...rest } = former;
  const base = { ...rest, levels, endedByEdit };
  return sameShape ? base : { ...base, shape, knownSince: now, value: null, valueAt: null };
}

/** Whether each level that is remembered is still one of the rule, with the same comparison. */
function isJudgedBy(rule: AlertRule, levels: Levels): boolean {
  for (const id in levels) {
    if (!rule.levels.some((level) => level.id === id && level.op === levels[id]!.op)) return false;
  }
  return true;
}

/** The `age` form is defined on missing data: what was never seen is as old as our waiting for it. */
function numberOf(
  rule: AlertRule,
  before: InstanceState,
  reading: number | null,
  now: number,
): number | null {
  if (reading !== null && Number.isFinite(reading)) return reading;
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
function wake(rule: AlertRule, before: InstanceState, now: number): Memory {
  const { levels, rings } = before;
  if (!wasAsleep(rule, before, now)) return { levels, rings };
  const lostMs = now - rule.everyMs - before.tickAt;
  const forgives = rule.noData?.then === "ok" && lostMs >= rule.noData.afterMs;
  // The points of lost ticks are left out, as if time had stood still.
  if (!forgives) return { levels: eachLevel(rule, levels, { kind: "hold", lostMs }, now), rings };
  return {
    levels: eachLevel(rule, levels, { kind: "good" }, now - rule.everyMs),
    rings: undefined,
  };
}

function eachLevel(rule: AlertRule, before: Levels, tick: Tick, now: number): Levels {
  const next: Record<string, LevelState> = {};
  for (const level of rule.levels) {
    const former = before[level.id] ?? null;
    const stands = tick.kind === "hold" && isWindowLevel(level);
    const state = stands ? former : stepLevel(level, former, tick, now);
    if (state) next[level.id] = state;
  }
  return next;
}

function tickOf(rule: AlertRule, before: InstanceState, value: number | null, now: number): Tick {
  if (value !== null) return { kind: "value", value };
  const lostMs = wasAsleep(rule, before, now) ? rule.everyMs : now - before.tickAt;
  const missingMs = now - (before.valueAt ?? before.knownSince);
  const then = rule.noData && missingMs >= rule.noData.afterMs ? rule.noData.then : "hold";
  if (then === "hold") return { kind: "hold", lostMs };
  return { kind: then === "ok" ? "good" : then };
}

/** Gives back the same levels when none of them changed. */
function stepLevels(rule: AlertRule, before: Memory, tick: Tick, now: number): Memory {
  const next: Record<string, LevelState> = {};
  let rings: Record<string, string> | undefined;
  let isSame = true;
  let firing = -1;
  for (let i = 0; i < rule.levels.length; i += 1) {
    const level = rule.levels[i]!;
    const former = before.levels[level.id] ?? null;
    const its = tickFor(rule, i, tick);
    let state: LevelState | null;
    if (isWindowLevel(level)) {
      const key = ringKey(level);
      const ring = pushPoint(level, before.rings?.[key] ?? "", its);
      rings = { ...rings, [key]: ring };
      state = stepWindowLevel(rule, level, former, ring, its, now);
    } else state = stepLevel(level, former, its, now);
    if (state !== former) isSame = false;
    if (state) next[level.id] = state;
    if (state?.phase === "firing") firing = i;
  }
  const implied = implyMilder(rule, next, firing);
  return { levels: isSame && !implied ? before.levels : next, rings };
}

/** Declared silence raises the strictest level at once: it may hide the worst. */
function tickFor(rule: AlertRule, index: number, tick: Tick): Tick {
  return tick.kind === "alert" && index < rule.levels.length - 1 ? { kind: "breach" } : tick;
}

/** Critical implies warning: what is beyond the stricter line need not wait at the milder one. */
function implyMilder(rule: AlertRule, levels: Record<string, LevelState>, firing: number): boolean {
  let isChanged = false;
  for (let i = 0; i < firing; i += 1) {
    const { id } = rule.levels[i]!;
    const state = levels[id];
    if (state?.phase !== "pending") continue;
    levels[id] = { ...state, phase: "firing" };
    isChanged = true;
  }
  return isChanged;
}

export function isForgettable(rule: AlertRule, state: InstanceState, now: number): boolean {
  return isQuiet(rule, state) && now >= forgottenAt(rule, state);
}

/** Nothing is remembered of it that anybody waits for. Absence is what the `age` form measures, so it forgets nobody. */
export function isQuiet(rule: AlertRule, state: InstanceState): boolean {
  const isOneOfMany = rule.by.length > 0 && rule.signal.form !== "age";
  return isOneOfMany && state.told === null && isEmpty(state.levels);
}

/** When an instance that stays quiet and without data is forgotten. */
export function forgottenAt(
  rule: AlertRule,
  { cooling, valueAt, knownSince }: InstanceState,
): number {
  const silentSince = valueAt ?? knownSince;
  return Math.max(silentSince + FORGET_AFTER_MS, cooling ? cooling.at + rule.cooldownMs : 0);
}

type Levels = InstanceState["levels"];
type Rings = NonNullable<InstanceState["rings"]>;

interface Memory {
  readonly levels: Levels;
  readonly rings?: Rings | undefined;
}
