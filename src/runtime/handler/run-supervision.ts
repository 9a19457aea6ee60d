/**
 * Watches over a run at work: keeps its leases alive, and stops it on cancellation, at its deadline, and
 * when it is no longer ours. The reason of the signal says which.
 */
import type { Clock } from "../../base/clock.js";
import { formatDuration } from "../../base/duration.js";
import { errorMessage, fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Runbook } from "../../runbook/define.js";
import { type Run, RunStopped } from "../../runbook/run.js";
import type { Database } from "../../store/database.js";
import { beatRun, LOCK_LEASE_MS } from "../../store/target-locks.js";

export interface SupervisionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Supervision {
  /** Aborted with a `RunStopped` when the run has to end, with anything else when we have to let go of it. */
  readonly signal: AbortSignal;
  /** Resolves when nothing of the supervision is left. */
  stop(): Promise<void>;
}

/** A cancellation takes effect within this, and a lease is renewed many times before it ends. */
const BEAT_MS = 1_000;

export function superviseRun(
  deps: SupervisionDeps,
  run: Run,
  runbook: Runbook,
  jobSignal: AbortSignal,
): Supervision {
  const stopped = new AbortController();
  const done = new AbortController();
  const onJobStop = () => stopped.abort(jobSignal.reason);
  if (jobSignal.aborted) onJobStop();
  else jobSignal.addEventListener("abort", onJobStop, { once: true });
  const watching = Promise.all([
    watchDeadline(deps, run, runbook, stopped, done.signal),
    keepBeating(deps, run, runbook.locks(run.params).length, stopped, done.signal),
  ]);
  return {
    signal: stopped.signal,
    stop: async () => {
      done.abort();
      jobSignal.removeEventListener("abort", onJobStop);
      await watching;
    },
  };
}

async function watchDeadline(
  { clock }: SupervisionDeps,
  run: Run,
  runbook: Runbook,
  stopped: AbortController,
  done: AbortSignal,
): Promise<void> {
  const startedAt = run.startedAt ?? clock.now();
  const leftMs = startedAt.getTime() + runbook.timeoutMs - clock.now().getTime();
  await clock.sleep(Math.max(0, leftMs), done);
  if (!done.aborted)
    stopped.abort(new RunStopped("failed", `not done within ${formatDuration(runbook.timeoutMs)}`));
}

async function keepBeating(
  { db, clock, log }: SupervisionDeps,
  run: Run,
  targetCount: number,
  stopped: AbortController,
  done: AbortSignal,
): Promise<void> {
  let lastBeatAt = clock.now().getTime();
  while (!done.aborted && !stopped.signal.aborted) {
    await clock.sleep(BEAT_MS, done);
    if (done.aborted) return;
    try {
      const beat = await beatRun(db, run, targetCount);
      if (beat === "cancelled") stopped.abort(new RunStopped("cancelled", "cancelled"));
      if (beat === "lost")
        stopped.abort(fault.waiting("RUN_LOST", `${run.id} or one of its targets was taken`));
      lastBeatAt = clock.now().getTime();
    } catch (thrown) {
      log.warn("run.beat-failed", { run_id: run.id, error: errorMessage(thrown) });
      // Without a renewed lease others may act on our targets: so we must not.
      if (clock.now().getTime() - lastBeatAt > LOCK_LEASE_MS)
        stopped.abort(fault.waiting("RUN_LOST", `${run.id} could not renew its leases`));
    }
  }
}
