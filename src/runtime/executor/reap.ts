/**
 * Programs outlive an executor that is killed: they have groups of their own. What a run began is on record
 * before it begins, so whoever comes next on that machine ends what is left, before anything is repeated.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { type Fault, fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Database } from "../../store/database.js";
import { closeProcess, listOpenProcesses, type OpenProcess } from "../../store/run-processes.js";
import { isGone, processKey } from "../process-key.js";

export interface ReapDeps {
  readonly db: Database;
  readonly log: Logger;
  /** Ends the group while its leader lives, and all that carries the run's mark: TERM, `graceMs`, KILL. */
  reap(
    orphan: {
      readonly pgid: number;
      readonly isLeaderAlive: boolean;
      readonly run: string;
      readonly executorKey: string | null;
    },
    graceMs: number,
  ): Promise<{ readonly count: number; readonly confirmedEmpty: boolean }>;
}

const GRACE_MS = 5_000;
const STUCK_RETRY_MS = 10_000;
/** A machine whose runs nobody has held for so long is gone, and its processes with it. */
const OTHER_MACHINE_MS = 10 * MINUTE_MS;

/**
 * How many were ended. Of all runs, at the start of an executor and now and then; of one (`runSeq`) when it is
 * resumed, before its interrupted step is judged: then it throws a waiting Fault `RUN_PROCESS_STUCK` for what does
 * not end, since the step would run beside it.
 */
export async function reapOrphans(deps: ReapDeps, runSeq: number | null = null): Promise<number> {
  const open = await listOpenProcesses(deps.db, runSeq);
  const ours = open.filter((it) => isOfThisMachine(it.processKey) && isOrphan(it));
  // Asked of all before the first is ended: with it goes whatever carries the mark of its run.
  const orphans = ours.map((it) => ({
    ...it,
    isLeaderAlive: isLeader(it) && !isGone(it.processKey),
  }));
  let reaped = 0;
  for (const orphan of orphans) {
    const outcome = await reapOne(deps, orphan);
    if (outcome === "reaped") reaped++;
    if (outcome === "stuck" && runSeq !== null) throw stuck(orphan);
  }
  for (const it of open)
    if (!isOfThisMachine(it.processKey) && (it.unheldMs ?? 0) > OTHER_MACHINE_MS)
      await closeProcess(deps.db, it, "lost");
  return reaped;
}

/** A group has the number of its leader: a row that says otherwise names a group that is not ours. */
function isLeader({ pgid, processKey: key }: OpenProcess): boolean {
  return key.split(" ")[2] === String(pgid) && pgid > 1;
}

interface OrphanProcess extends OpenProcess {
  readonly isLeaderAlive: boolean;
}

/** A frozen executor is not gone, but its run went on without it: two of one step must not run at once. */
function isOrphan({ executorKey, isDisowned }: OpenProcess): boolean {
  return isDisowned || isGone(executorKey);
}

type Outcome = "reaped" | "lost" | "stuck";

async function reapOne({ db, log, reap }: ReapDeps, orphan: OrphanProcess): Promise<Outcome> {
  const { pgid, executorKey, runId, fence, program, processKey: key } = orphan;
  const run = `${runId}/${fence}`;
  // It may have ended with another of its run, and its number may be somebody else's by now.
  const isLeaderAlive = orphan.isLeaderAlive && !isGone(key);
  const { count, confirmedEmpty } = await reap({ pgid, isLeaderAlive, run, executorKey }, GRACE_MS);
  const facts = { run_id: runId, fence, program, pgid, count };
  if (!confirmedEmpty) {
    // Its row stays open, so the next round tries again.
    log.error("run.process-stuck", facts);
    return "stuck";
  }
  const outcome = count > 0 || orphan.isLeaderAlive ? "reaped" : "lost";
  await closeProcess(db, orphan, outcome);
  if (outcome === "reaped") log.warn("run.process-reaped", facts);
  return outcome;
}

function stuck({ runId, program, pgid }: OpenProcess): Fault {
  const what = `${program} (process group ${pgid}) of ${runId} does not end`;
  return fault.waiting("RUN_PROCESS_STUCK", what, {
    retryAfterMs: STUCK_RETRY_MS,
    hint: "what holds it in the kernel? `ps` shows its state; the run goes on when it is gone",
  });
}

function isOfThisMachine(key: string): boolean {
  const own = processKey(process.pid);
  return own !== null && machineOf(own) === machineOf(key);
}

/** Boot and process namespace. */
function machineOf(key: string): string {
  return key.split(" ").slice(0, 2).join(" ");
}
