/** The outside world as runbooks may see it. Adapters fit these; tests hand in fakes. */
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
