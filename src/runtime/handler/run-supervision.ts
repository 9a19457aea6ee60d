/**
 * Watches over a run at work: keeps its leases alive, and stops it on cancellation, at its deadline, by the stop
 * switch, and when it is no longer ours. The reason of the signals says which.
 */
import type { Clock } from "../../base/clock.js";
import { formatDuration } from "../../base/duration.js";
import { errorMessage, fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Runbook } from "../../runbook/define.js";
import type { RunSignals } from "../../runbook/execute.js";
import { type Run, RunStopped } from "../../runbook/run.js";
import { stopSentence } from "../../runbook/step-record.js";
import type { StopSwitchPort } from "../../runbook/stop.js";
import type { Database } from "../../store/database.js";
import { beatRun, RUN_LEASE_MS } from "../../store/run-leases.js";

export interface SupervisionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stop: Pick<StopSwitchPort, "read">;
}

export interface Supervision {
  readonly signals: RunSignals;
  /** Resolves when nothing of the supervision is left. */
  stop(): Promise<void>;
}

/** A cancellation takes effect within this, and a lease is renewed many times before it ends. */
const BEAT_MS = 1_000;

interface Watch extends SupervisionDeps {
  readonly run: Run;
  readonly runbook: Runbook;
  readonly heldTargets: number;
  /** Aborted when the run has to end; what takes back may go on. */
  readonly over: AbortController;
  /** Aborted when nothing may go on here. */
  readonly letGo: AbortController;
  readonly done: AbortSignal;
}

/** Resolves when what was ordered before, a cancellation or a passed deadline, is in the signals. */
export async function superviseRun(
  deps: SupervisionDeps,
  run: Run,
  runbook: Runbook,
  heldTargets: number,
  jobSignal: AbortSignal,
): Promise<Supervision> {
  const [over, letGo, done] = [new AbortController(), new AbortController(), new AbortController()];
  const watch: Watch = { ...deps, run, runbook, heldTargets, over, letGo, done: done.signal };
  const onJobStop = () => letGo.abort(jobSignal.reason);
  if (jobSignal.aborted) onJobStop();
  else jobSignal.addEventListener("abort", onJobStop, { once: true });
  await look(watch, deps.clock.now().getTime());
  const watching = Promise.all([watchDeadline(watch), keepLooking(watch)]);
  return {
    signals: { stop: AbortSignal.any([letGo.signal, over.signal]), letGo: letGo.signal },
    stop: async () => {
      done.abort();
      jobSignal.removeEventListener("abort", onJobStop);
      await watching;
    },
  };
}

async function watchDeadline({ clock, run, runbook, over, done }: Watch): Promise<void> {
  const startedAt = run.startedAt ?? clock.now();
  const deadline = run.deadlineAt?.getTime() ?? startedAt.getTime() + runbook.timeoutMs;
  const leftMs = deadline - clock.now().getTime();
  if (leftMs > 0) await clock.sleep(leftMs, done);
  if (!done.aborted)
    over.abort(new RunStopped("failed", `not done within ${formatDuration(runbook.timeoutMs)}`));
}

async function keepLooking(watch: Watch): Promise<void> {
  let lastBeatAt = watch.clock.now().getTime();
  while (!watch.done.aborted && !watch.letGo.signal.aborted) {
    await watch.clock.sleep(BEAT_MS, watch.done);
    if (watch.done.aborted) return;
    lastBeatAt = await look(watch, lastBeatAt);
  }
}

/** When the lease was last renewed, in Unix milliseconds. */
async function look(watch: Watch, lastBeatAt: number): Promise<number> {
  const { db, clock, log, run, letGo } = watch;
  await obeyStopSwitch(watch);
  const askedAt = clock.now().getTime();
  try {
    obey(watch, await beatRun(db, run, watch.heldTargets));
    return askedAt;
  } catch (thrown) {
    log.warn("run.beat-failed", { run_id: run.id, error: errorMessage(thrown) });
    // Without a renewed lease others may act on our targets: so we must not.
    if (clock.now().getTime() - lastBeatAt > RUN_LEASE_MS)
      letGo.abort(fault.waiting("RUN_LOST", `${run.id} could not renew its leases`));
    return lastBeatAt;
  }
}

function obey({ run, over, letGo }: Watch, beat: Awaited<ReturnType<typeof beatRun>>): void {
  if (beat.state === "cancel-asked") over.abort(new RunStopped("cancelled", beat.sentence));
  if (beat.state === "cancelled") letGo.abort(new RunStopped("cancelled", beat.sentence));
  if (beat.state === "lost")
    letGo.abort(fault.waiting("RUN_LOST", `${run.id} or one of its targets was taken`));
}

/** What only looks may go on looking. */
async function obeyStopSwitch({ stop, run, runbook, letGo, log }: Watch): Promise<void> {
  if (runbook.danger === "R" || run.dryRun) return;
  try {
    const stopped = await stop.read();
    if (stopped) letGo.abort(new RunStopped("stalled", stopSentence(stopped)));
  } catch (thrown) {
    // The file was read and says nothing; the next second asks again.
    log.warn("run.stop-switch-unread", { run_id: run.id, error: errorMessage(thrown) });
  }
}
