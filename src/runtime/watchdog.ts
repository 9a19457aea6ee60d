/**
 * Runs in every process and judges those who judge: is an orchestrator beating (AR-05), are samples
 * collected and rules judged (AR-36)? It reads the database alone and reports through a port; all processes may see the
 * same trouble, and one of them tells it (design 8.7).
 */
import type { Clock } from "../base/clock.js";
import type { Severity } from "../policy/policy.js";
import type { Database } from "../store/database.js";
import { takeLease } from "../store/lease.js";
import { type RuntimeAges, readSigns } from "../store/signs-of-life.js";
import type { Emit } from "./events.js";
import type { Tick } from "./ticker.js";

export interface WatchdogCheck {
  /** Id of the alert that it stands for. */
  readonly id: "AR-05" | "AR-36";
  /** Of the rule in policies/, so that both fold into one incident. */
  readonly name: string;
  readonly severity: Severity;
  /** One line for a sleepy person. */
  readonly summary: string;
  readonly age: (ages: RuntimeAges) => number | null;
  readonly maxAgeMs: number;
  /** The age must be too great for this long. */
  readonly forMs: number;
}

/** Noticed within 65 s (AR-05) and 80 s (AR-36) of the last sign; telling it takes seconds more. */
const WATCHDOG_CHECKS: readonly WatchdogCheck[] = [
  {
    id: "AR-05",
    name: "orchestrator-down",
    severity: "sev1",
    summary: "No orchestrator has finished a scheduling round for a minute",
    age: ({ heartbeatMs }) => heartbeatMs,
    maxAgeMs: 60_000,
    forMs: 0,
  },
  {
    id: "AR-36",
    name: "metrics-stale",
    severity: "sev2",
    summary: "No samples are collected or judged: alerts are blind",
    age: ({ samplesMs, evaluatorMs }) =>
      samplesMs === null || evaluatorMs === null ? null : Math.max(samplesMs, evaluatorMs),
    maxAgeMs: 45_000,
    forMs: 30_000,
  },
];

export interface WatchdogReport {
  readonly check: WatchdogCheck;
  readonly action: "trigger" | "resolve";
  /** Null when there never was a sign of life. */
  readonly ageMs: number | null;
}

export interface WatchdogOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly holder: string;
  /** Writes a notice; called by one process for each trouble and for its end. */
  readonly report: (report: WatchdogReport) => Promise<void>;
}

const LOOK_EVERY_MS = 5_000;
/** Processes notice the same change within one interval; the first to claim it tells it. */
const CLAIM_MS = 30_000;

/** A tick for `runTicks`, without any lease. */
export function watchdogTick(options: WatchdogOptions): Tick {
  const startedAt = options.clock.now();
  let states = new Map<string, WatchState>();
  return {
    name: "watchdog",
    everyMs: LOOK_EVERY_MS,
    run: async (now) => {
      const ages = await readSigns(options.db);
      for (const check of WATCHDOG_CHECKS) {
        const uptimeMs = now.getTime() - startedAt.getTime();
        const before = states.get(check.id) ?? CALM;
        // What was never seen counts from our start: a new system is not yet a broken one.
        const after = judgeAge(check, check.age(ages) ?? uptimeMs, before, now);
        if (after.firing !== before.firing) await tell(check, ages, after.firing, options);
        states = new Map(states).set(check.id, after);
      }
    },
  };
}

export interface WatchState {
  readonly breachedSince: Date | null;
  readonly firing: boolean;
}

export const CALM: WatchState = { breachedSince: null, firing: false };

/**
 * Fires when the age was too great for `forMs`; one good look resolves. The age itself says since when it is too great,
 * but no longer than since the look before: who slept has not watched.
 */
export function judgeAge(
  check: Pick<WatchdogCheck, "maxAgeMs" | "forMs">,
  ageMs: number,
  before: WatchState,
  now: Date,
): WatchState {
  if (ageMs <= check.maxAgeMs) return CALM;
  const overMs = Math.min(ageMs - check.maxAgeMs, LOOK_EVERY_MS);
  const breachedSince = before.breachedSince ?? new Date(now.getTime() - overMs);
  const heldMs = now.getTime() - breachedSince.getTime();
  return { breachedSince, firing: before.firing || heldMs >= check.forMs };
}

async function tell(
  check: WatchdogCheck,
  ages: RuntimeAges,
  firing: boolean,
  options: WatchdogOptions,
): Promise<void> {
  const { db, emit, holder, report } = options;
  const action = firing ? "trigger" : "resolve";
  emit({ event: "watchdog.judged", check: check.name, ok: !firing });
  const claim = { name: `watchdog/${check.id}/${action}`, holder, ttlMs: CLAIM_MS };
  if ((await takeLease(db, claim)) === null) return;
  await report({ check, action, ageMs: check.age(ages) });
}
