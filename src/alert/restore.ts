/**
 * Rows are written when their memory changes, the clock at every tick: together they say what the evaluator knew when
 * it last committed.
 */
import { hold } from "./level.js";
import { type InstanceState, type LevelState, type RuleState, ringKey } from "./state.js";

/** @param tickAt when rules of this interval were last judged, in milliseconds; null: not since there is such a clock */
export function restoreState(stored: RuleState, tickAt: number | null): RuleState {
  if (tickAt === null) return stored;
  return Object.fromEntries(
    Object.entries(stored).map(([instance, state]) => [instance, restoreInstance(state, tickAt)]),
  );
}

function restoreInstance(state: InstanceState, tickAt: number): InstanceState {
  if (state.tickAt > tickAt) return asWrittenByOthers(state);
  return state.seen === undefined ? state : moveClock(state, tickAt, state.value);
}

/** A version that does not know our marks copies them, and writes a row at every tick: the row alone says the truth. */
function asWrittenByOthers(state: InstanceState): InstanceState {
  const { seen: _, held: __, ...rest } = state;
  return rest;
}

/**
 * As if ticks up to `tickAt` had been like the last one, and none of them news.
 * @param value of the last of them, where they had one
 */
export function moveClock(
  state: InstanceState,
  tickAt: number,
  value: number | null,
): InstanceState {
  if (state.tickAt === tickAt) return state;
  if (state.seen) return atTick(state, tickAt, value, tickAt);
  const moved = atTick(state, tickAt, state.value, state.valueAt);
  return state.held ? { ...moved, levels: holdOn(state, tickAt) } : moved;
}

/** Each field by name, which is what a replay does for every run of ticks: `...` takes thrice as long. */
function atTick(
  state: InstanceState,
  tickAt: number,
  value: number | null,
  valueAt: number | null,
): InstanceState {
  return {
    shape: state.shape,
    labels: state.labels,
    knownSince: state.knownSince,
    tickAt,
    value,
    valueAt,
    levels: state.levels,
    rings: state.rings,
    seen: state.seen,
    held: state.held,
    level: state.level,
    severity: state.severity,
    since: state.since,
    begun: state.begun,
    endedByEdit: state.endedByEdit,
    told: state.told,
    cooling: state.cooling,
  };
}

function holdOn(state: InstanceState, tickAt: number): InstanceState["levels"] {
  const lostMs = tickAt - state.tickAt;
  const levels = Object.entries(state.levels).map(([id, level]): [string, LevelState] => [
    id,
    state.rings?.[ringKey({ id, op: level.op })] === undefined ? hold(level, lostMs) : level,
  ]);
  return Object.fromEntries(levels);
}
