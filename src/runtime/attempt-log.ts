/**
 * Gathers what the handlers of this process tell of their attempts, and writes it many at once: a
 * running attempt's news within a second, an ended one's at once. A job that succeeds and says nothing
 * costs nothing; what cannot be written never fails a job, and is bounded while it waits.
 */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { LogFields, Logger } from "../base/log.js";
import type { Redact } from "../base/redact.js";
import type { HeldJob } from "../job/job.js";
import type { Outcome } from "../job/outcome.js";
import type { JobContext } from "../job/port.js";
import { isStatementRefused, type Sql } from "../store/database.js";
import { type AttemptEnd, type LineLevel, writeAttempts } from "../store/job-attempts.js";
import { AttemptReport, errorOf } from "./attempt-report.js";

export interface AttemptLogDeps {
  readonly db: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redact: Redact;
  /** `<kind>-worker-<process number>`. */
  readonly workerIdOf: (kind: string) => string;
}

/** A running attempt's news is never older than this, and never written more often. */
const FLUSH_MS = 1_000;
/** How long the end of a job, or of the process, waits for what its attempt told. */
const END_WAIT_MS = 1_000;
/** In one statement. */
const BATCH_REPORTS = 200;
/** Over all attempts, while the database is away: some tens of megabytes at the worst. */
const WAITING_LINES_MAX = 20_000;
const WAITING_REPORTS_MAX = 4_000;

export class AttemptLog {
  readonly #deps: AttemptLogDeps;
  /** By the very object that was claimed: two attempts at one job are two. */
  readonly #reports = new WeakMap<HeldJob, AttemptReport>();
  /** With news that may wait for the next flush, oldest first. */
  readonly #running = new Set<AttemptReport>();
  /** To be written now, with those who wait for it. */
  readonly #due = new Map<AttemptReport, (() => void)[]>();
  readonly #stopped = new AbortController();
  #waiting: Promise<void> | null = null;
  #isWriting = false;
  #lines = 0;
  #dropped = 0;

  constructor(deps: AttemptLogDeps) {
    this.#deps = deps;
  }

  /** For the handler of this job. Nothing more is made before it says something. */
  contextFor(job: HeldJob): AttemptContext {
    return new AttemptContext(this, job);
  }

  /** What `AttemptContext` hands out. */
  loggerOf(job: HeldJob): Logger {
    const { clock, log } = this.#deps;
    const fields = { job_id: job.id, job_type: job.kind, attempt: job.attempt };
    return keepingLogger(log.child(fields), (level, event, more) => {
      const report = this.#reportOf(job, null);
      if (report.line(level, clock.now(), event, more)) this.#lines++;
      this.#note(report);
    });
  }

  progress(job: HeldJob, fraction: number, note: string | undefined): void {
    const report = this.#reportOf(job, null);
    report.progress(fraction, note);
    this.#note(report);
  }

  /** It has told something that is to be written before its row moves. */
  hasNews(job: HeldJob): boolean {
    return this.#reports.has(job);
  }

  /**
   * Before the job's row moves. Undefined when there is nothing to write; else it resolves when all that
   * the attempt told is written, or after a second. It never rejects.
   */
  ended(job: HeldJob, outcome: Outcome, durationMs: number): Promise<void> | undefined {
    const failed = outcome.verdict === "faulted" && outcome.fault.kind !== "waiting";
    if (!failed && !this.#reports.has(job)) return undefined;
    const { clock, redact } = this.#deps;
    const at = clock.now();
    const report = this.#reportOf(job, new Date(at.getTime() - durationMs));
    const error = outcome.verdict === "faulted" ? errorOf(outcome.fault, redact) : null;
    report.end({ at, outcome: endOf(outcome), error });
    return this.#atMost(END_WAIT_MS, this.#writeNow(report));
  }

  /** Writes all that waits. Resolves also when it could not: then it waits on. */
  async flush(): Promise<void> {
    const waiting = [...this.#running, ...this.#due.keys()];
    await Promise.all(waiting.map((report) => this.#writeNow(report)));
  }

  /** The last flush; afterwards nothing is written by itself. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#atMost(END_WAIT_MS, this.flush());
  }

  #reportOf(job: HeldJob, startedAt: Date | null): AttemptReport {
    const known = this.#reports.get(job);
    if (known !== undefined) return known;
    const { workerIdOf, redact } = this.#deps;
    const report = new AttemptReport({ job, workerId: workerIdOf(job.kind), startedAt }, redact);
    this.#reports.set(job, report);
    return report;
  }

  #note(report: AttemptReport): void {
    this.#running.add(report);
    this.#bound();
    this.#flushLater();
  }

  #flushLater(): void {
    if (this.#waiting !== null || this.#stopped.signal.aborted) return;
    this.#waiting = this.#deps.clock.sleep(FLUSH_MS, this.#stopped.signal).then(async () => {
      await this.flush();
      this.#waiting = null;
      if (this.#running.size > 0) this.#flushLater();
    });
  }

  /** Resolves when it is written, or could not be and waits for the next flush. */
  #writeNow(report: AttemptReport): Promise<void> {
    this.#running.delete(report);
    return new Promise((resolve) => {
      this.#due.set(report, [...(this.#due.get(report) ?? []), resolve]);
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** One statement at a time; what has ended meanwhile goes into the next. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // What comes in the same turn goes together.
    await Promise.resolve();
    while (this.#due.size > 0) {
      const batch = [...this.#due].slice(0, BATCH_REPORTS);
      for (const [report] of batch) this.#due.delete(report);
      if (!(await this.#writeBatch(batch.map(([report]) => report)))) {
        // Again with the next flush, all of them together.
        batch.push(...this.#due);
        this.#due.clear();
        for (const [report] of batch) this.#running.add(report);
        this.#bound();
        this.#flushLater();
      }
      for (const resolve of batch.flatMap(([, waiting]) => waiting)) resolve();
    }
    this.#isWriting = false;
  }

  /** False when it is to be tried again. */
  async #writeBatch(batch: readonly AttemptReport[]): Promise<boolean> {
    const news = batch.map((report) => report.news());
    try {
      await writeAttempts(this.#deps.db, news);
    } catch (error) {
      if (!isStatementRefused(error)) return false;
      this.#dropped += batch.length;
      this.#deps.log.error("attempts.refused", { error: errorMessage(error) });
    }
    for (const [i, report] of batch.entries()) this.#lines -= report.written(news[i]!);
    this.#tellDropped();
    return true;
  }

  /** The oldest lines give way first, and are counted; then the oldest attempts. */
  #bound(): void {
    for (const report of this.#running) {
      if (this.#lines <= WAITING_LINES_MAX) break;
      while (this.#lines > WAITING_LINES_MAX && report.dropOldestLine()) this.#lines--;
    }
    for (const report of this.#running) {
      if (this.#running.size <= WAITING_REPORTS_MAX) break;
      this.#running.delete(report);
      while (report.dropOldestLine()) this.#lines--;
      this.#dropped++;
    }
  }

  #tellDropped(): void {
    if (this.#dropped > 0) this.#deps.log.warn("attempts.lost", { attempts: this.#dropped });
    this.#dropped = 0;
  }

  async #atMost(ms: number, work: Promise<void>): Promise<void> {
    const done = new AbortController();
    await Promise.race([work, this.#deps.clock.sleep(ms, done.signal)]);
    done.abort();
  }
}

/** Made for every job: so small that one which says nothing does not notice it. */
class AttemptContext implements Required<Pick<JobContext, "log" | "progress">> {
  readonly #attempts: AttemptLog;
  readonly #job: HeldJob;
  #log: Logger | null = null;
  readonly progress = (fraction: number, note?: string): void =>
    this.#attempts.progress(this.#job, fraction, note);

  constructor(attempts: AttemptLog, job: HeldJob) {
    this.#attempts = attempts;
    this.#job = job;
  }

  get log(): Logger {
    this.#log ??= this.#attempts.loggerOf(this.#job);
    return this.#log;
  }
}

type Keep = (level: LineLevel, event: string, fields: LogFields) => void;

/** Writes to the log as ever, and keeps what a person would want to read beside the job. */
function keepingLogger(log: Logger, keep: Keep): Logger {
  const both =
    (level: LineLevel) =>
    (event: string, fields: LogFields = {}) => {
      log[level](event, fields);
      keep(level, event, fields);
    };
  return {
    debug: (event, fields) => log.debug(event, fields),
    info: both("info"),
    warn: both("warn"),
    error: both("error"),
    child: (fields) =>
      keepingLogger(log.child(fields), (level, event, more) =>
        keep(level, event, { ...fields, ...more }),
      ),
  };
}

function endOf(outcome: Outcome): AttemptEnd {
  if (outcome.verdict !== "faulted") return outcome.verdict;
  return outcome.fault.kind === "waiting" ? "waiting" : "failed";
}
