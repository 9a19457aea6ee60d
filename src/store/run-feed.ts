/** A run as it goes on, from its rows: for whoever watches, in whatever process it is executed. */
import type { Clock } from "../base/clock.js";
import type { RunFeed } from "../runbook/feed.js";
import { isFinal } from "../runbook/run.js";
import type { Database } from "./database.js";
import { readRunLines } from "./run-lines.js";
import { readSteps } from "./run-steps.js";
import { readRun } from "./runs.js";

const LOOK_MS = 500;
/** At once; whoever is behind gets the rest at once after. */
const LINES_MAX = 500;

export function createRunFeed(deps: { readonly db: Database; readonly clock: Clock }): RunFeed {
  return { follow: (runId, afterLine, signal) => follow(deps, runId, afterLine, signal) };
}

/** What is there at first, then at every look; the last is of the ended run with all its lines. Nothing of an unknown run. */
async function* follow(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  runId: string,
  afterLine: number,
  signal: AbortSignal,
) {
  let after = afterLine;
  while (!signal.aborted) {
    // The run first: lines that come while we read belong to a later look, and an ended run writes none.
    const run = await readRun(db, runId);
    if (run === null) return;
    const steps = await readSteps(db, run.seq);
    const lines = await readRunLines(db, run.seq, after, LINES_MAX);
    after = lines.at(-1)?.lineNo ?? after;
    yield { run, steps, lines };
    if (lines.length === LINES_MAX) continue;
    if (isFinal(run.status)) return;
    await clock.sleep(LOOK_MS, signal);
  }
}
