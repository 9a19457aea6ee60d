/** The outside world as runbooks may see it. Adapters fit these; tests hand in fakes. */
import type { Json, JsonObject } from "../base/json.js";
import type { SecretKind } from "../base/secret-kinds.js";
import type { SecretText } from "../base/secret-text.js";
import type { JobStatus } from "../job/job.js";
import type { Message } from "../message/message.js";
import type { AwsReader, AwsWriter } from "./aws-port.js";
import type { DatabaseReader, DatabaseWriter } from "./database-port.js";
import type { IncidentReader, IncidentWriter } from "./incident-port.js";
import type { TemporaryChangeReader, TemporaryChangeWriter } from "./temporary-change.js";
import type { WorkloadReader } from "./workload-port.js";

export interface ShellLimits {
  /** Of address space. */
  readonly memoryBytes?: number;
  /** Of each file that it writes. */
  readonly fileBytes?: number;
  readonly cpuSeconds?: number;
}

export interface ShellOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the whole process group gets TERM, then KILL after `graceMs`. */
  readonly timeoutMs: number;
  readonly graceMs?: number;
  /** In place of TERM: what a program takes for the wish to come to an orderly end. */
  readonly endSignal?: "SIGINT";
  readonly cwd?: string;
  /** The whole environment of the child besides PATH, HOME, LANG and SHLVL: nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Bytes of output kept; what is more is counted and dropped. Default 1 MiB. */
  readonly outputMaxBytes?: number;
  /** Ceilings that the system itself keeps for the program and all that it starts. Where it cannot (macOS: memory) there is none. */
  readonly limits?: ShellLimits;
  /** Each decoded, redacted line as it comes. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Called before the program begins: it begins when this resolves, and never when this rejects. */
  readonly onStarted?: (group: ProcessGroupRef) => Promise<void>;
  /** Texts that people typed: an argument made of one that begins with `-` is refused unless `--` stands before it. */
  readonly untrusted?: readonly string[];
  /** `run-17/3`: in the environment of all that it starts, so that who leaves the group is found too. */
  readonly mark?: string;
}

export interface ProcessGroupRef {
  readonly pgid: number;
  /** Of its leader, unique over restarts of the machine; null where the system tells none. */
  readonly processKey: string | null;
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
  /** After an ending by force: nothing of its group is left. */
  readonly confirmedEmpty?: boolean;
  /** Processes that had left the group and were ended too. */
  readonly strays?: number;
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

/** Programs that begin and end by themselves. */
export type Programs = Pick<Shell, "run">;

export interface ChatTarget {
  readonly channel: string;
  /** Below this message. */
  readonly threadTs?: string | undefined;
  /** Goes with the message unseen, so that `find` finds it. */
  readonly key?: string | undefined;
}

export interface ChatAt {
  readonly channel: string;
  readonly ts: string;
}

/** A message in chat that is posted once and then edited. */
export interface Chat {
  post(to: string | ChatTarget, message: Message, signal: AbortSignal): Promise<ChatAt>;
  update(at: ChatAt, message: Message, signal: AbortSignal): Promise<void>;
  /** Only this person sees it. */
  ephemeral(
    to: { readonly channel: string; readonly user: string },
    message: Message,
    signal: AbortSignal,
  ): Promise<void>;
  /** The post with this key, when the answer to it was lost. `cannot-tell`: the app may not read the channel. */
  find(
    at: { readonly channel: string; readonly threadTs?: string | undefined },
    key: string,
    since: Date,
    signal: AbortSignal,
  ): Promise<ChatAt | "absent" | "cannot-tell">;
}

export interface IncidentAlert {
  readonly summary: string;
  readonly severity: string | null;
  readonly details: JsonObject;
}

export type IncidentStatus = "triggered" | "acknowledged" | "resolved" | "unknown";

/** The paging system's incident: read, and told of in notes; never acknowledged, resolved or opened again by us. */
export interface Incidents {
  /** Adds a note; looks for `marker` first, so that a repeat adds nothing. */
  addNote(incidentId: string, text: string, marker: string, signal: AbortSignal): Promise<void>;
  /** What its webhook leaves out. */
  alerts(incidentId: string, signal: AbortSignal): Promise<readonly IncidentAlert[]>;
  status(incidentId: string, signal: AbortSignal): Promise<IncidentStatus>;
}

/** A run as its executor holds it: what it writes names both. */
export interface RunRef {
  readonly seq: number;
  readonly fence: number;
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
  readonly payload: JsonObject;
  readonly priority: number;
  /** Of a completed one. */
  readonly result: Json;
}

export interface FailedFilter {
  /** Null: all public kinds. */
  readonly kind: string | null;
  /** Failed within this long. */
  readonly sinceMs: number;
}

export interface FailedCount {
  readonly matching: number;
  /** The commonest first. */
  readonly byError: readonly { readonly error: string; readonly count: number }[];
  /** What `rerunFailed` is bound to: it stops when there are more by then. */
  readonly token: string;
}

export interface MovedJobs {
  /** Where they were. */
  readonly priority: number;
  readonly seqs: readonly number[];
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
  /** Newest first. */
  quarantined(limit: number): Promise<readonly JobView[]>;
  countFailed(filter: FailedFilter): Promise<FailedCount>;
  /** How many of these jobs are in which status; those that are gone are in none. */
  statusesOf(seqs: readonly number[]): Promise<Readonly<Partial<Record<JobStatus, number>>>>;
  /** Pending jobs of the kind by priority. */
  pendingOf(
    kind: string,
  ): Promise<readonly { readonly priority: number; readonly count: number }[]>;
  /** What the kind's schema says against the payload, each with its pointer; none: it fits. */
  checkPayload(kind: string, payload: JsonObject): readonly string[];
}

/** What runbooks may change. Every call is one fenced, audited statement in the name of the run's actor. */
export interface RuntimeWriter {
  /**
   * Puts a job in, once for each `key` of this run however often it is asked: the same job is the answer. Throws a
   * refused Fault `PAYLOAD_INVALID` or `KIND_UNKNOWN`.
   */
  submitJob(request: {
    readonly kind: string;
    readonly payload: JsonObject;
    /** 1–10; default 5. */
    readonly priority?: number;
    /** Letters, digits and dashes. */
    readonly key: string;
    readonly reason: string;
  }): Promise<{ readonly seq: number }>;
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
  /** In batches, spread over time; stops by itself when more match than were counted. */
  rerunFailed(
    request: Pick<FailedFilter, "kind"> & {
      readonly token: string;
      /** Only those with a larger number: the last of the batch before, 0 for the first. */
      readonly afterSeq: number;
      /** Jobs at most. */
      readonly max: number;
      readonly spacingMs: number;
      readonly reason: string;
    },
  ): Promise<{
    readonly acted: number;
    readonly stopped: string | null;
    readonly seqs: readonly number[];
  }>;
  cancelJob(request: {
    readonly seq: number;
    readonly reason: string;
  }): Promise<{ readonly before: JobStatus }>;
  /** Only while the job is as it was seen (`fence`). */
  correctJob(request: {
    readonly seq: number;
    readonly fence: number;
    readonly payload: JsonObject;
    readonly reason: string;
  }): Promise<void>;
  prioritize(request: {
    readonly kind: string;
    /** Null: of any priority. */
    readonly from: number | null;
    readonly to: number;
    readonly reason: string;
  }): Promise<{ readonly moved: readonly MovedJobs[] }>;
  /** Those that still wait go back to where they were; returns how many. */
  restorePriorities(request: {
    readonly moved: readonly MovedJobs[];
    readonly reason: string;
  }): Promise<number>;
}

export interface Finding {
  readonly what: string;
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  readonly remedy: string | null;
}

export interface DependencyView {
  readonly name: string;
  readonly state: "closed" | "open" | "half_open";
  readonly reason: string | null;
  /** Since when it is in this state, and who brought it there: `healdec` is the runtime itself. */
  readonly since: Date;
  readonly by: string;
  /** Calls that failed, of those that the process that measured last made within its window. */
  readonly failures: number;
  /** Not closed: when probes may begin. */
  readonly until: Date | null;
  /** It asked not to be called before this time. */
  readonly gateUntil: Date | null;
}

/** What the API answered to one path. */
export interface PathLook {
  readonly path: string;
  /** `waiting`: it may still come right. */
  readonly state: "passed" | "waiting" | "failed";
  readonly found: string;
}

export interface SystemReader extends IncidentReader, TemporaryChangeReader {
  diagnose(signal: AbortSignal): Promise<readonly Finding[]>;
  brokenInvariants(): Promise<readonly { readonly invariant: string; readonly count: number }[]>;
  dependencies(): Promise<readonly DependencyView[]>;
  probe(
    dependency: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly found: string }>;
  /** Asks the API what the policy says (`monitoring.afterDeployment`), and nothing else of nobody else. */
  criticalPaths(signal: AbortSignal): Promise<readonly PathLook[]>;
}

export interface SystemWriter extends IncidentWriter, TemporaryChangeWriter {
  /** Nothing when it was off already. Throws a refused fault while a check of the data fails. */
  exitSafeMode(request: { readonly reason: string }): Promise<void>;
  enterSafeMode(request: { readonly reason: string }): Promise<void>;
  /** A new value that nobody can guess. It is kept nowhere yet. */
  newSecret(kind: SecretKind): SecretText;
  /** Whether GitHub takes this token, and until when it may be used. Throws a refused Fault `GITHUB_TOKEN_REFUSED`. */
  testGitHubToken(
    token: SecretText,
    signal: AbortSignal,
  ): Promise<{ readonly endsAt: Date | null }>;
  /** For ever: nobody can take it back. Throws a refused Fault `GITHUB_TOKEN_NOT_REVOCABLE` where there is no such way. */
  revokeGitHubToken(token: SecretText, signal: AbortSignal): Promise<void>;
  /** Throws a refused fault when nothing has called that dependency yet. */
  resetBreaker(request: { readonly dependency: string; readonly reason: string }): Promise<void>;
  openBreaker(request: {
    readonly dependency: string;
    readonly forMs: number;
    readonly reason: string;
  }): Promise<void>;
}

/** What may be looked at. */
export interface Readers {
  readonly runtime: RuntimeReader;
  readonly database: DatabaseReader;
  readonly system: SystemReader;
  readonly workload: WorkloadReader;
  readonly aws: AwsReader;
}

/** What may be changed: handed only to steps of runbooks that say they change something. */
export interface Writers {
  readonly runtime: RuntimeWriter;
  readonly database: DatabaseWriter;
  readonly system: SystemWriter;
  readonly aws: AwsWriter;
}

/** A place outside the database where heads of the audit chain are kept: the name of each says all. */
export interface AnchorPlace {
  /** `file:…` or `s3://…`. */
  readonly place: string;
  /** Never replaces what is there, and keeps it from being replaced as well as the place can. */
  put(name: string, text: string, signal: AbortSignal): Promise<"stored" | "exists">;
  /** Names of all that ever was put, also of what somebody has hidden since. */
  list(signal: AbortSignal): Promise<readonly string[]>;
}
