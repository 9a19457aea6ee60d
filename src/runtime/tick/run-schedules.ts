/** Enqueues what the schedules of the policy say, once each, whoever leads and however long nobody did. */
import type { PolicySet, Schedule } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import { enqueueJob } from "../../store/jobs.js";
import {
  AHEAD_MAX_MS,
  claimScheduleRun,
  listScheduleRuns,
  noteScheduledJob,
} from "../../store/schedules.js";
import { notAhead } from "../../store/server.js";
import { periodAt } from "../cron-times.js";
import type { Emit } from "../events.js";
import { rulesOf } from "../kind-rules.js";
import type { CycleStep } from "../orchestrator.js";

export interface ScheduleDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly emit: Emit;
}

/** A run that is later than this was missed, not merely late by a few cycles. */
const LATE_MAX_MS = 60_000;
/** Also while nothing is due: somebody may have changed the rows by hand. */
const LOOK_AT_LEAST_EVERY_MS = 15_000;

export function runSchedulesStep(deps: ScheduleDeps): CycleStep {
  let quiet: Quiet | null = null;
  return {
    name: "run-schedules",
    run: async (now) => {
      const { schedules } = deps.policy();
      if (quiet !== null && isStill(quiet, schedules, now)) return;
      const runs = await listScheduleRuns(deps.db);
      const last = new Map(runs.map(({ name, lastDueAt }) => [name, lastDueAt]));
      // A leader whose clock is ahead would begin the runs of the days to come.
      const today = await notAhead(deps.db, now);
      for (const schedule of schedules) {
        await runIfDue(schedule, last.get(schedule.name) ?? null, today, deps);
      }
      quiet = { schedules, from: now, untilMs: nextLookMs(schedules, now) };
    },
  };
}

/** All that these schedules say until `from` was dealt with, and nothing is due before `untilMs`. */
interface Quiet {
  readonly schedules: readonly Schedule[];
  readonly from: Date;
  readonly untilMs: number;
}

/** Not when the policy is another by now, or the clock was set back. */
function isStill(quiet: Quiet, schedules: readonly Schedule[], now: Date): boolean {
  return quiet.schedules === schedules && now >= quiet.from && now.getTime() < quiet.untilMs;
}

/** In the very millisecond that it names, a schedule is not yet due. */
function periodOf(schedule: Pick<Schedule, "cron" | "timeZone">, now: Date) {
  return periodAt(schedule, now.getTime() - 1);
}

/** Milliseconds of the epoch. */
function nextLookMs(schedules: readonly Schedule[], now: Date): number {
  const dueMs = schedules.map((schedule) => periodOf(schedule, now).dueMs + 1);
  return Math.min(now.getTime() + LOOK_AT_LEAST_EVERY_MS, ...dueMs);
}

async function runIfDue(
  schedule: Schedule,
  last: Date | null,
  now: Date,
  deps: ScheduleDeps,
): Promise<void> {
  const decision = decideSchedule(schedule, last, now);
  if (decision.what === "wait") return;
  const { what, dueAt } = decision;
  await deps.db.transaction(async (tx) => {
    const ours = await claimScheduleRun(tx, { name: schedule.name, dueAt });
    if (!ours || what === "pass-over") return;
    const job = await enqueueJob(tx, {
      kind: schedule.kind,
      payload: schedule.payload,
      priority: rulesOf(deps.policy(), schedule.kind).priority,
      // The last run may still be waiting or running: then it stands for this one too.
      uniqueKey: `schedule:${schedule.name}`,
      requestedBy: `schedule:${schedule.name}`,
    });
    await noteScheduledJob(tx, { name: schedule.name, jobSeq: job.seq });
    deps.emit({ event: "schedule.enqueued", schedule: schedule.name, job_id: job.id });
  });
}

export type ScheduleDecision =
  | { readonly what: "wait" }
  | {
      /** Passed over: recorded, so that it is not looked at again, but nothing runs. */
      readonly what: "enqueue" | "pass-over";
      readonly dueAt: Date;
    };

/**
 * `last` is the newest due time that was dealt with; null for a schedule that is new, whose first run is
 * the next one. So it is for one that a wrong clock has dealt with in the future: it would not run until then. All that was missed counts as one run, or as none with `missed: skip`.
 */
export function decideSchedule(
  schedule: Pick<Schedule, "cron" | "timeZone" | "missed">,
  last: Date | null,
  now: Date,
): ScheduleDecision {
  const isBelieved = last !== null && last.getTime() <= now.getTime() + AHEAD_MAX_MS;
  if (!isBelieved) return { what: "pass-over", dueAt: now };
  const { beganMs } = periodOf(schedule, now);
  if (beganMs <= last.getTime()) return { what: "wait" };
  const dueAt = new Date(beganMs);
  const missed = now.getTime() - dueAt.getTime() > LATE_MAX_MS;
  return { what: missed && schedule.missed === "skip" ? "pass-over" : "enqueue", dueAt };
}
