/** What must be known to say why a job is not running. Read by store/why, judged by why.ts. */
import type { JobStatus } from "./job.js";

export interface WhyFacts {
  /** By the database's clock, like every time in here. */
  readonly now: Date;
  readonly job: {
    readonly id: string;
    readonly kind: string;
    readonly status: JobStatus;
    readonly scheduledAt: Date;
    readonly startedAt: Date | null;
    readonly completedAt: Date | null;
    readonly workerId: string | null;
    readonly error: string | null;
    /** Of a job that waits: how often it was tried before. */
    readonly attempts: number;
  };
  /** Never paused, never capped, served in safe mode (design 8.3). */
  readonly internal: boolean;
  /** Null: the policy in force does not know the kind. */
  readonly rules: {
    readonly enabled: boolean;
    /** In one process. */
    readonly concurrency: number;
    /** Over all processes. */
    readonly globalMax: number | null;
  } | null;
  /** ORCHESTRATOR_MAX_CONCURRENT_JOBS; null: unknown to the asker. */
  readonly cap: number | null;
  /** Of the kind itself and of all queues. */
  readonly pause: PauseFact | null;
  readonly pauseOfAll: PauseFact | null;
  /** Null when it is off, or when the kind passes. */
  readonly safeMode: { readonly reason: string | null; readonly by: string | null } | null;
  /** Live processes that take new jobs of the kind. */
  readonly workers: number;
  /** Running rows over all processes: of the kind, and of all public kinds. */
  readonly running: { readonly ofKind: number; readonly inAll: number };
  /** Jobs of the kind that are due and come before it. */
  readonly ahead: number;
  /** Starts that the kind's rate still allows, and how fast they come back; null: no rate is set. */
  readonly rate: { readonly tokens: number; readonly max: number; readonly perMs: number } | null;
  /** What its last attempt waited for, while that is still closed. */
  readonly dependency: { readonly name: string; readonly reason: string | null } | null;
  /** The fault that a rollback was begun for and not ended; null: there is none. */
  readonly rollback: { readonly code: string } | null;
  /** Of a running job. */
  readonly holder: {
    /** Its process beats. */
    readonly alive: boolean;
    /** Its handler has begun; null: the process does not say. */
    readonly begun: boolean | null;
  } | null;
}

export interface PauseFact {
  readonly reason: string;
  readonly by: string;
  readonly until: Date | null;
}
