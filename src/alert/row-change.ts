/** Which rows are written: those whose memory changed. */
import type { InstanceState } from "./state.js";

/** An active row is written at least so often, so that whoever reads it sees a value of today. */
const REFRESH_EVERY_MS = 60_000;

/**
 * Whether the row must be written. A tick that only moves clocks on is made up for by restoreState, so that ten
 * thousand quiet instances cost no write.
 */
export function mustBeWritten(before: InstanceState | undefined, after: InstanceState): boolean {
  if (before === undefined || hasChanged(before, after)) return true;
  const isActive = after.level !== null || Object.keys(after.levels).length > 0;
  const minuteOf = (at: number) => Math.floor(at / REFRESH_EVERY_MS);
  return isActive && minuteOf(before.tickAt) !== minuteOf(after.tickAt);
}

/** Whether something is remembered that was not, but for clocks. */
export function hasChanged(before: InstanceState, after: InstanceState): boolean {
  return (
    before.seen !== after.seen ||
    before.held !== after.held ||
    before.level !== after.level ||
    before.since !== after.since ||
    before.shape !== after.shape ||
    before.endedByEdit !== after.endedByEdit ||
    !sameRings(before.rings, after.rings) ||
    (before.levels !== after.levels && !(after.held && sameLevels(before.levels, after.levels)))
  );
}

function sameRings(before: Rings | undefined, after: Rings | undefined): boolean {
  if (before === after) return true;
  const ids = Object.keys({ ...before, ...after });
  return ids.every((id) => before?.[id] === after?.[id]);
}

/** But for what holding moves on. */
function sameLevels(before: Levels, after: Levels): boolean {
  const ids = Object.keys({ ...before, ...after });
  return ids.every((id) => before[id]?.phase === after[id]?.phase);
}

type Levels = InstanceState["levels"];
type Rings = NonNullable<InstanceState["rings"]>;
