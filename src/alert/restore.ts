/**
 * Rows are written when their memory changes, the clock at every tick: together they say what the evaluator knew when
 * it last committed.
 */
import { hold } from "./level.js";
import type { InstanceState, LevelState, RuleState } from "./state.js";

/** @param tickAt when rules of this interval were last judged, in milliseconds; null: not since there is such a clock */
export function restoreState(stored: RuleState, tickAt: number | null): RuleState {
  if (tickAt === null) return stored;
  return Object.fromEntries(
    Object.entries(stored).map(([instance, state]) => [instance, restoreInstance(state, tickAt)]),
  );
}

function restoreInstance(state: InstanceState, tickAt: number): InstanceState {
  if (state.tickAt > tickAt) return asWrittenByOthers(state);
  if (state.seen === undefined || state.tickAt === tickAt) return state;
  if (state.seen) return { ...state, tickAt, valueAt: tickAt };
  return state.held ? moveOn(state, tickAt) : { ...state, tickAt };
}

/** A version that does not know our marks copies them, and writes a row at every tick: the row alone says the truth. */
function asWrittenByOthers(state: InstanceState): InstanceState {
  const { seen: _, held: __, ...rest } = state;
  return rest;
}

/** What holding did to the clocks since the row was written. */
function moveOn(state: InstanceState, tickAt: number): InstanceState {
  const lostMs = tickAt - state.tickAt;
  const levels = Object.entries(state.levels).map(([id, level]): [string, LevelState] => [
    id,
    state.rings?.[id] === undefined ? hold(level, lostMs) : level,
  ]);
  return { ...state, tickAt, levels: Object.fromEntries(levels) };
}
