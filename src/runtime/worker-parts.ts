/** The parts of a worker process, each made from its options: who it serves, how it beats, claims and runs. */
import { SAFE_MODE_KINDS } from "../job/kinds.js";
import { declareCompensation } from "../store/compensations.js";
import { claimJobs } from "../store/job-claims.js";
import { ClaimLoop, type ClaimLoopDeps } from "./claim-loop.js";
import { Completions } from "./completions.js";
import { kindWorkerId } from "./events.js";
import { type Heartbeat, startHeartbeat } from "./heartbeat.js";
import { rulesOf } from "./kind-rules.js";
import { RunningJobs } from "./running-jobs.js";
import type { Slots } from "./slots.js";
import type { WorkerOptions } from "./worker-options.js";

export function kindsServed(options: WorkerOptions): string[] {
  const handled = new Set(options.handlers.map(({ kind }) => kind));
  return options.registry
    .names(options.lane)
    .filter((kind) => handled.has(kind))
    .filter((kind) => options.kinds === null || options.kinds.includes(kind));
}

export function beat(options: WorkerOptions, workerId: string): Heartbeat {
  const settings = {
    databaseUrl: options.databaseUrl,
    ssl: options.databaseSsl,
    workerId,
    deadAfterMs: options.policy().healing.workerDeadAfterMs,
    parentPid: options.parentPid,
  };
  return startHeartbeat(settings, (why) => {
    options.emit({ event: "worker.heartbeat-lost", worker_id: workerId, why });
    options.onFatal(`heartbeat lost: ${why}`);
  });
}

export function claimLoop(
  options: WorkerOptions,
  workerId: string,
  kinds: readonly string[],
  slots: Slots,
  start: ClaimLoopDeps["start"],
): ClaimLoop {
  return new ClaimLoop({
    clock: options.clock,
    slots,
    limits: () => {
      const policy = options.policy();
      return kinds
        .map((kind) => ({ kind, ...rulesOf(policy, kind) }))
        .filter(({ enabled }) => enabled);
    },
    claim: (free, max) =>
      claimJobs(options.db, {
        workerId,
        kinds: free,
        max,
        globalCap: options.lane === "internal" ? null : options.globalCap,
        safeModeKinds: SAFE_MODE_KINDS,
      }),
    start,
    onClaimFailed: (error) => options.emit({ event: "claim.failed", worker_id: workerId, error }),
    pollMaxMs: options.pollMaxMs,
  });
}

export function runningJobs(
  options: WorkerOptions,
  processNumber: number,
  slots: Slots,
  onSlotFree: (kind: string) => void,
): RunningJobs {
  return new RunningJobs({
    ...options,
    handlers: new Map(options.handlers.map((handler) => [handler.kind, handler])),
    completions: new Completions(options.db),
    declare: async (job, name, input) => {
      await declareCompensation(options.db, { jobSeq: job.seq, name, input });
    },
    slots,
    rulesOf: (kind) => rulesOf(options.policy(), kind),
    workerIdOf: (kind) => kindWorkerId(kind, processNumber),
    onSlotFree,
  });
}
