/** What one attempt at a job has told so far, within bounds: nothing a handler says may cost more than it is worth. */
import { inspect } from "node:util";
import { errorMessage, Fault } from "../base/fault.js";
import type { LogFields } from "../base/log.js";
import type { Redact } from "../base/redact.js";
import type { HeldJob } from "../job/job.js";
import type { AttemptError, AttemptLine, AttemptNews, LineLevel } from "../store/job-attempts.js";

const LINES_MAX = 200;
const LINES_BYTES_MAX = 16 * 1024;
const LINE_CHARS_MAX = 500;
const NOTE_CHARS_MAX = 200;
const ERROR_CHARS_MAX = 4 * 1024;
const TRACE_CHARS_MAX = 4 * 1024;
const CAUSES_MAX = 5;

export interface ReportedAttempt {
  readonly job: HeldJob;
  readonly workerId: string;
  /** Null: as the row of the job says. */
  readonly startedAt: Date | null;
}

export class AttemptReport {
  readonly #of: ReportedAttempt;
  readonly #redact: Redact;
  #lines: AttemptLine[] = [];
  #ordinal = 0;
  #bytes = 0;
  #leftOut = 0;
  #progress: number | null = null;
  #note: string | null = null;
  #end: AttemptNews["end"] = null;

  constructor(of: ReportedAttempt, redact: Redact) {
    this.#of = of;
    this.#redact = redact;
  }

  /** False when there is no room for it: then it is counted. */
  line(level: LineLevel, at: Date, event: string, fields: LogFields): boolean {
    if (this.#ordinal < LINES_MAX && this.#bytes < LINES_BYTES_MAX) {
      const message = storable(this.#redact(lineText(event, fields)), LINE_CHARS_MAX);
      this.#bytes += Buffer.byteLength(message);
      if (this.#bytes <= LINES_BYTES_MAX) {
        this.#lines.push({ ordinal: ++this.#ordinal, at, level, message });
        return true;
      }
    }
    this.#leftOut++;
    return false;
  }

  /** Only the newest counts. What is no number between 0 and 1 becomes the nearest that is. */
  progress(fraction: number, note: string | undefined): void {
    this.#progress = Math.min(1, Math.max(0, fraction)) || 0;
    if (note !== undefined) this.#note = note;
  }

  end(end: NonNullable<AttemptNews["end"]>): void {
    this.#end = end;
  }

  /** False when there is none. */
  dropOldestLine(): boolean {
    if (this.#lines.shift() === undefined) return false;
    this.#leftOut++;
    return true;
  }

  news(): AttemptNews {
    const { job, workerId, startedAt } = this.#of;
    return {
      jobSeq: job.seq,
      fence: job.fence,
      attempt: job.attempt,
      workerId,
      startedAt,
      end: this.#end,
      progress: this.#progress,
      note: this.#note === null ? null : storable(this.#redact(this.#note), NOTE_CHARS_MAX),
      lines: [...this.#lines],
      linesLeftOut: this.#leftOut,
    };
  }

  /** Lines that are in the database are kept here no longer. Returns how many those were. */
  written({ lines }: AttemptNews): number {
    const last = lines.at(-1)?.ordinal ?? 0;
    const before = this.#lines.length;
    this.#lines = this.#lines.filter(({ ordinal }) => ordinal > last);
    return before - this.#lines.length;
  }
}

/** `repo.unreadable repo=alpha code=GIT_STOPPED`. */
function lineText(event: string, fields: LogFields): string {
  return [
    event,
    ...Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`),
  ].join(" ");
}

function valueText(value: unknown): string {
  if (typeof value === "string")
    return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
  if (value instanceof Error) return JSON.stringify(value.message);
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 3 });
}

/** What is kept of a fault: its sentence, and where it and its causes were thrown. */
export function errorOf(thrown: Fault, redact: Redact): AttemptError {
  return {
    code: thrown.code,
    message: storable(redact(thrown.message), ERROR_CHARS_MAX),
    trace: storable(redact(traceOf(thrown)), TRACE_CHARS_MAX),
  };
}

/** A fault that only passes on what another one said adds nothing to it. */
function traceOf(thrown: Error): string {
  const traces: string[] = [];
  let error: unknown = thrown;
  while (error instanceof Error && traces.length < CAUSES_MAX) {
    const { cause } = error;
    const passesOn =
      error instanceof Fault && cause instanceof Error && errorMessage(cause) === error.message;
    if (!passesOn) traces.push(stackOf(error));
    error = cause;
  }
  return traces.join("\ncaused by ");
}

/** Where a stack is made when it is asked for, making it may fail. */
function stackOf(error: Error): string {
  try {
    return String(error.stack ?? error.message);
  } catch (cause) {
    return `${errorMessage(error)} (no stack: ${errorMessage(cause)})`;
  }
}

/** Cut, and without what a text of the database cannot hold: U+0000 and halves of characters. */
function storable(text: string, charsMax: number): string {
  const cut = text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
  return cut.replaceAll("\u0000", "").replace(/\p{Surrogate}/gu, "");
}
