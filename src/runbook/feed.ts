/** The next words of a run, for whoever watches it: a terminal, or a browser by server-sent events. */
import type { Run, RunLine, StepRecord } from "./run.js";

export interface RunNews {
  readonly run: Run;
  readonly steps: readonly StepRecord[];
  /** Those after the last that was given. */
  readonly lines: readonly RunLine[];
}

export interface RunFeed {
  /** Something each time something is new; ends with the run. */
  follow(runId: string, afterLine: number, signal: AbortSignal): AsyncIterable<RunNews>;
}
