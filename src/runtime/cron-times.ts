/** Due times of schedules. To find one costs far more than to remember it, and the same is asked every few seconds. */
import { Cron } from "croner";
import type { Schedule } from "../policy/policy.js";

/** From one due time to the next, in milliseconds of the epoch. */
export interface Period {
  /** Minus infinity: it was never due before. */
  readonly beganMs: number;
  /** Infinity: it will never be due again. */
  readonly dueMs: number;
}

const SECOND_MS = 1_000;
/** Of each schedule the one that was asked for last. */
const periods = new WeakMap<object, Period>();

/** The one in which a moment lies. A due time belongs to the period that it begins. */
export function periodAt(schedule: Pick<Schedule, "cron" | "timeZone">, ms: number): Period {
  const known = periods.get(schedule);
  if (known && known.beganMs <= ms && ms < known.dueMs) return known;
  const cron = new Cron(schedule.cron, { timezone: schedule.timeZone });
  const found = {
    beganMs: cron.previousRuns(1, secondAfter(ms))[0]?.getTime() ?? Number.NEGATIVE_INFINITY,
    dueMs: cron.nextRun(new Date(ms))?.getTime() ?? Number.POSITIVE_INFINITY,
  };
  periods.set(schedule, found);
  return found;
}

/** A due time is a whole second: what came before this is not after it. */
function secondAfter(ms: number): Date {
  return new Date((Math.floor(ms / SECOND_MS) + 1) * SECOND_MS);
}
