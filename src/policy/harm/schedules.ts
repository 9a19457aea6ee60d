/** Schedules that would crowd everything else out. */
import { Cron } from "croner";
import { formatDuration, MINUTE_MS } from "../../base/duration.js";
import type { PolicySet, Schedule } from "../policy.js";
import type { Held } from "./held.js";

const SCHEDULE_MIN_MS = 5 * MINUTE_MS;
/** Runs that are compared to find the shortest time between two, from a day without changes of clocks. */
const RUNS_COMPARED = 100;
const RUNS_FROM = new Date("2026-01-05T00:00:00Z");

export function findScheduleHarm(before: PolicySet, after: PolicySet): Held[] {
  const known = new Map(before.schedules.map((one) => [one.name, one]));
  return after.schedules.flatMap((schedule): Held[] => {
    const was = known.get(schedule.name);
    const gapMs = leastGapMs(schedule);
    if (gapMs >= SCHEDULE_MIN_MS) return [];
    if (was && was.kind === schedule.kind && leastGapMs(was) <= gapMs) return [];
    const subject = `schedules.${schedule.name}`;
    const sentence = `${schedule.kind} would run every ${formatDuration(gapMs)} ("${schedule.cron}")`;
    return [{ reason: "schedule-too-often", subject, sentence }];
  });
}

/** Infinite for what runs once or never. */
function leastGapMs({ cron, timeZone }: Schedule): number {
  const runs = new Cron(cron, { timezone: timeZone }).nextRuns(RUNS_COMPARED, RUNS_FROM);
  const gaps = runs.slice(1).map((run, i) => run.getTime() - runs[i]!.getTime());
  return Math.min(Infinity, ...gaps);
}
