/** The outside world as runbooks may see it. Adapters fit these; tests hand in fakes. */
import type { JobStatus } from "../job/job.js";
import type { Message } from "../message/message.js";

export interface ShellOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the whole process group gets TERM, then KILL after `graceMs`. */
  readonly timeoutMs: number;
  readonly graceMs?: number;
  readonly cwd?: string;
  /** The whole environment of the child besides PATH, HOME, LANG and SHLVL: nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Bytes of output kept; what is more is counted and dropped. Default 1 MiB. */
  readonly outputMaxBytes?: number;
  /** Each decoded, redacted line as it comes. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

export interface ShellResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it ended: by itself, by the deadline, or by the caller's signal. */
  readonly endedBy: "exit" | "timeout" | "abort";
  readonly stdout: string;
  readonly stderr: string;
  readonly droppedBytes: number;
  readonly durationMs: number;
}

/** Programs by argument list: no text is ever parsed by a shell unless the caller names one. */
export interface Shell {
  /** Resolves also for a non-zero exit: look at `exitCode` and `endedBy`. */
  run(argv: readonly string[], options: ShellOptions): Promise<ShellResult>;
  /**
   * Standard output line by line, with back-pressure and without keeping it. Throws a Fault when the
   * program fails, times out or is aborted.
   */
  lines(argv: readonly string[], options: ShellOptions): AsyncIterable<string>;
}

/** A message in chat that is posted once and then edited. */
export interface Chat {
  post(
    channel: string,
    message: Message,
    signal: AbortSignal,
  ): Promise<{ channel: string; ts: string }>;
  update(at: { channel: string; ts: string }, message: Message, signal: AbortSignal): Promise<void>;
}

/** The paging system's incident. */
export interface Incidents {
  /** Adds a note; looks for `marker` first, so that a repeat adds nothing. */
  addNote(incidentId: string, text: string, marker: string, signal: AbortSignal): Promise<void>;
}

/** A job as a runbook sees it. */
export interface JobView {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  readonly status: JobStatus;
  readonly attempts: number;
  readonly error: string | null;
  readonly workerId: string | null;
  readonly scheduledAt: Date;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** Grows with every move: a larger one than before means that somebody moved the job. */
  readonly fence: number;
}

export interface HealingView {
  readonly jobId: string;
  readonly kind: string | null;
  readonly failureType: string;
  readonly strategy: string;
  readonly attempt: number;
  /** Null until the outcome is known. */
  readonly success: boolean | null;
  readonly error: string | null;
  readonly at: Date;
}

/** What an attempt at a job told (BQ-wrk-04). */
export interface AttemptView {
  readonly attempt: number;
  readonly outcome: string;
  readonly error: { readonly trace: string | null } | null;
  /** In [0, 1]; null when it said nothing of it. */
  readonly progress: number | null;
  readonly note: string | null;
  /** Oldest first. */
  readonly lines: readonly {
    readonly at: Date;
    readonly level: string;
    readonly message: string;
  }[];
}

export interface AuditView {
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
}

export interface QueueView {
  readonly kind: string;
  readonly pending: number;
  readonly running: number;
  readonly failed: number;
  readonly quarantined: number;
  /** How long the oldest due job has been waiting; null when none waits. */
  readonly oldestPendingMs: number | null;
}

export interface PauseView {
  /** `all` is a pause of its own, beside those of single kinds. */
  readonly kind: string;
  readonly reason: string;
  readonly pausedBy: string;
  readonly pausedAt: Date;
  readonly expiresAt: Date | null;
}

/** What runbooks may know of the runtime. Internal kinds (runbook, notice, inbound) are not in it. */
export interface RuntimeReader {
  job(seq: number): Promise<JobView | null>;
  /** Newest first. */
  healingOf(jobId: string, limit: number): Promise<HealingView[]>;
  /** Newest first. */
  attemptsOf(seq: number, limit: number): Promise<readonly AttemptView[]>;
  auditOf(target: string, limit: number): Promise<AuditView[]>;
  healing(window: { readonly sinceMs: number; readonly limit: number }): Promise<HealingView[]>;
  queues(): Promise<QueueView[]>;
  /** Pauses in force. */
  pauses(): Promise<PauseView[]>;
  liveWorkers(): Promise<number>;
  /** Jobs of the kind that a worker began after that time. */
  startedSince(kind: string, since: Date): Promise<number>;
  safeMode(): Promise<{ readonly active: boolean; readonly reason: string | null }>;
}

/** What runbooks may change. Every call is one fenced, audited statement in the name of the run's actor. */
export interface RuntimeWriter {
  /** Throws a refused fault when the job is unknown, running without `force`, or pending. */
  retryJob(request: {
    readonly seq: number;
    readonly reason: string;
    readonly force: boolean;
  }): Promise<void>;
  pauseQueue(request: {
    /** Or `all`. */
    readonly kind: string;
    readonly reason: string;
    /** Milliseconds until the queue starts again by itself. */
    readonly forMs: number;
  }): Promise<void>;
  /** False when it was not paused. */
  resumeQueue(request: { readonly kind: string; readonly reason: string }): Promise<boolean>;
}
