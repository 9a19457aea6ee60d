/**
 * What the runtime says about itself: a closed union, said once at the place that knows. Log lines and
 * metrics subscribe to the same events (HB-log-02, HB-log-03 name the fields).
 */
import type { LogFields, Logger, LogLevel } from "../base/log.js";
import type { HeldJob } from "../job/job.js";

/** What every event about a job says. */
export interface OfJob {
  readonly job_id: string;
  readonly job_type: string;
  /** `<kind>-worker-<process number>` (design 8.11). */
  readonly worker_id: string;
  readonly attempt: number;
}

export type RuntimeEvent =
  /** `waited_ms`: since the job was created. */
  | ({ readonly event: "job.claimed"; readonly waited_ms: number } & OfJob)
  | ({ readonly event: "job.completed"; readonly duration_ms: number } & OfJob)
  | ({
      readonly event: "job.rescheduled";
      readonly reason: string;
      /** Not before; ISO 8601. */
      readonly at: string;
      readonly error: string;
    } & OfJob)
  | ({ readonly event: "job.failed"; readonly reason: string; readonly error: string } & OfJob)
  | ({ readonly event: "job.quarantined"; readonly reason: string; readonly error: string } & OfJob)
  /** Given back unfinished by a process that stops. */
  | ({ readonly event: "job.released" } & OfJob)
  /** Cancelled, reset or healed meanwhile: what the handler gave is dropped. */
  | ({ readonly event: "job.lost" } & OfJob)
  | ({
      readonly event: "healdec.acted";
      readonly failure_type: string;
      readonly strategy: string;
      readonly reason: string;
      readonly success: boolean | null;
    } & OfJob)
  | { readonly event: "safe-mode.entered"; readonly reason: string }
  | { readonly event: "safe-mode.left"; readonly by: string; readonly reason: string }
  | {
      readonly event: "worker.started";
      readonly worker_id: string;
      readonly kinds: string;
      readonly pid: number;
    }
  | { readonly event: "worker.drained"; readonly worker_id: string; readonly released: number }
  | { readonly event: "worker.stopped"; readonly worker_id: string }
  | { readonly event: "worker.heartbeat-lost"; readonly worker_id: string; readonly why: string }
  | { readonly event: "worker.recovered"; readonly worker_id: string; readonly jobs: number }
  | { readonly event: "claim.failed"; readonly worker_id: string; readonly error: string }
  /** What jobs have given cannot be written now; it is tried again until it is, or the lease is over. */
  | { readonly event: "settle.failed"; readonly worker_id: string; readonly error: string }
  | { readonly event: "process.started"; readonly name: string; readonly pid: number }
  | {
      /** Died by itself, or ended because it was asked to. */
      readonly event: "process.died" | "process.ended";
      readonly name: string;
      readonly pid: number;
      readonly worker_id: string | null;
      readonly exit_code: number | null;
      readonly signal: string | null;
      readonly lived_ms: number;
    }
  | { readonly event: "process.restart-delayed"; readonly name: string; readonly delay_ms: number }
  | { readonly event: "lease.taken"; readonly lease: string; readonly fence: number }
  | { readonly event: "lease.lost"; readonly lease: string; readonly error: string | null }
  | { readonly event: "tick.completed"; readonly tick: string; readonly duration_ms: number }
  | { readonly event: "tick.failed"; readonly tick: string; readonly error: string }
  | { readonly event: "schedule.enqueued"; readonly schedule: string; readonly job_id: string }
  | {
      readonly event: "breaker.opened";
      readonly dependency: string;
      readonly reason: string;
      /** Not before; ISO 8601. */
      readonly until: string;
    }
  | { readonly event: "breaker.half-opened" | "breaker.closed"; readonly dependency: string }
  /** The dependency itself asked every caller to wait. */
  | { readonly event: "gate.closed"; readonly dependency: string; readonly until: string }
  | { readonly event: "watchdog.judged"; readonly check: string; readonly ok: boolean }
  /** `revision` is the signed one of the bundle. */
  | {
      readonly event: "policy.published";
      readonly revision: number;
      readonly digest: string;
      readonly source: string;
    }
  | {
      readonly event: "policy.refused" | "policy.held" | "policy.waiting" | "policy.rolled-back";
      /** Null: what was refused does not say. */
      readonly revision: number | null;
      readonly source: string;
      readonly reason: string;
    }
  | {
      readonly event: "temporary-change.expired";
      /** `ecs service workers`. */
      readonly target: string;
      readonly attribute: string;
    }
  /** One process works with it, to see whether all can. */
  | { readonly event: "policy.canary"; readonly revision: number; readonly digest: string }
  | {
      readonly event: "policy.adopted";
      readonly revision: number;
      readonly digest: string;
      /** Of control.policy_revision. */
      readonly in_force: number;
    }
  /** This process works with another policy from now on; `in_force` is of control.policy_revision. */
  | {
      readonly event: "policy.followed";
      readonly in_force: number;
      readonly digest: string;
      /** Emergency settings that hold. */
      readonly overrides: number;
    }
  | { readonly event: "policy.override-ended"; readonly path: string; readonly by: string }
  | { readonly event: "policy.follow-failed"; readonly in_force: number; readonly error: string }
  /** Where bundles come from does not answer: the last good one stays. Told once, and when it answers again. */
  | { readonly event: "policy.source-lost"; readonly source: string; readonly error: string }
  | { readonly event: "policy.source-back"; readonly source: string };

export type Emit = (event: RuntimeEvent) => void;

const LEVELS: Readonly<Record<RuntimeEvent["event"], LogLevel>> = {
  "job.claimed": "debug",
  "job.completed": "info",
  "job.rescheduled": "warn",
  "job.failed": "error",
  "job.quarantined": "error",
  "job.released": "info",
  "job.lost": "warn",
  "healdec.acted": "warn",
  "safe-mode.entered": "error",
  "safe-mode.left": "warn",
  "worker.started": "info",
  "worker.drained": "info",
  "worker.stopped": "info",
  "worker.heartbeat-lost": "error",
  "worker.recovered": "warn",
  "claim.failed": "warn",
  "settle.failed": "warn",
  "process.started": "info",
  "process.died": "warn",
  "process.ended": "info",
  "process.restart-delayed": "warn",
  "lease.taken": "info",
  "lease.lost": "warn",
  "tick.completed": "debug",
  "tick.failed": "error",
  "schedule.enqueued": "info",
  "breaker.opened": "error",
  "breaker.half-opened": "info",
  "breaker.closed": "info",
  "gate.closed": "warn",
  "watchdog.judged": "warn",
  "policy.published": "info",
  "policy.refused": "error",
  "policy.held": "warn",
  "policy.waiting": "warn",
  "policy.rolled-back": "error",
  "temporary-change.expired": "warn",
  "policy.canary": "info",
  "policy.adopted": "info",
  "policy.followed": "info",
  "policy.override-ended": "info",
  "policy.follow-failed": "error",
  "policy.source-lost": "warn",
  "policy.source-back": "info",
};

/** Every event as a log line, and to whoever else listens (metrics, tests). */
export function createEmit(log: Logger, ...listeners: readonly Emit[]): Emit {
  return (happened) => {
    const { event, ...fields } = happened;
    log[LEVELS[event]](event, fields satisfies LogFields);
    for (const listen of listeners) listen(happened);
  };
}

export function ofJob(job: HeldJob, workerId: string): OfJob {
  return { job_id: job.id, job_type: job.kind, worker_id: workerId, attempt: job.attempt };
}

/** How a worker process is named in logs and in healdec_log for one kind of job (design 8.11). */
export function kindWorkerId(kind: string, processNumber: number): string {
  return `${kind}-worker-${processNumber}`;
}
