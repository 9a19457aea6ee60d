/**
 * How long each schedule has had no successful run, in periods of its own (LB-alr-03). Time in which nobody
 * looked does not count: a laptop that was asleep has missed nothing that its owner wanted.
 */
import { MINUTE_MS } from "../../base/duration.js";
import type { PolicySet, Schedule } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { readLatest } from "../../store/samples.js";
import { listScheduleSuccesses } from "../../store/schedule-samples.js";
import { periodAt } from "../cron-times.js";
import { gauge, type SampleSource } from "./source.js";

const METRIC = "algobrain.schedule.periods_since_success";
/** Longer between two looks, and nobody looked. */
const LOOK_GAP_MAX_MS = 2 * MINUTE_MS;

export interface SchedulesSourceOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
}

interface Look {
  readonly atMs: number;
  readonly periods: number;
}

export function schedulesSource({ sql, policy }: SchedulesSourceOptions): SampleSource {
  let looks: ReadonlyMap<string, Look> | null = null;
  return {
    name: "schedules",
    collect: async (now) => {
      const before = looks ?? (await recallLooks(sql, now));
      const successes = await listScheduleSuccesses(sql);
      const ago = new Map(successes.map((one) => [one.name, one.succeededMsAgo]));
      const after = policy().schedules.map((schedule): [string, Look] => {
        const { name } = schedule;
        return [name, lookAt(schedule, before.get(name), ago.get(name) ?? null, now.getTime())];
      });
      looks = new Map(after);
      return after.flatMap(([schedule, { periods }]) => gauge(METRIC, periods, now, { schedule }));
    },
  };
}

/** Of whoever looked last: what was measured is the memory, so another process that leads goes on from there. */
async function recallLooks(sql: Sql, now: Date): Promise<ReadonlyMap<string, Look>> {
  const series = await readLatest(sql, [METRIC], now);
  return new Map(
    series.flatMap(({ labels, points }) =>
      points.map(({ at, value }): [string, Look] => [
        labels.schedule ?? "",
        { atMs: at, periods: value },
      ]),
    ),
  );
}

/** What is not known is not held against a schedule: the first look at one finds none. */
function lookAt(
  schedule: Schedule,
  before: Look | undefined,
  succeededMsAgo: number | null,
  atMs: number,
): Look {
  const wasThere = before !== undefined && atMs - before.atMs <= LOOK_GAP_MAX_MS;
  const passed = wasThere ? periodsBetween(schedule, before.atMs, atMs) : 0;
  const waited = (before?.periods ?? 0) + passed;
  if (succeededMsAgo === null) return { atMs, periods: waited };
  return { atMs, periods: Math.min(waited, periodsBetween(schedule, atMs - succeededMsAgo, atMs)) };
}

/** So many are enough to say "too long". */
const PERIODS_COUNTED_MAX = 10;

/**
 * How many periods passed, with parts of one at both ends. A period is the time between two due times, so a schedule
 * of working hours has a long one each night.
 */
export function periodsBetween(
  schedule: Pick<Schedule, "cron" | "timeZone">,
  fromMs: number,
  toMs: number,
): number {
  let periods = 0;
  let cursor = fromMs;
  while (cursor < toMs && periods < PERIODS_COUNTED_MAX) {
    const { beganMs, dueMs } = periodAt(schedule, cursor);
    if (!Number.isFinite(dueMs - beganMs)) return periods;
    const end = Math.min(dueMs, toMs);
    periods += (end - cursor) / (dueMs - beganMs);
    cursor = end;
  }
  return periods;
}
