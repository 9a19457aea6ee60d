/**
 * Processes that left the group of the program that started them (`setsid`, a double fork): they still carry
 * the environment that the program was given, and a mark in it says whose they are. Linux only. Seen are
 * processes of our own user; one that wrote over its own environment is not found by this.
 */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { systemClock } from "../base/clock.js";
import { endGroup } from "./process-group.js";

/** In the environment of everything that a run starts. */
export const MARK_VARIABLE = "ALGOBRAIN_RUN";

const LOOK_MS = 25;
/** How long the kernel may take to end what got KILL. */
const KILL_MS = 2_000;

/** For one program of a run: its strays are not those of another program of the same run. */
export function markOfProgram(run: MarkedRun): string {
  return `${prefixOf(run)}${randomBytes(6).toString("hex")}`;
}

export interface MarkedRun {
  /** `run-17/3`: with its fence. */
  readonly run: string;
  /** Of the process that started it (runtime/process-key): another system on this machine has a run-17, too. */
  readonly executorKey: string | null;
}

function prefixOf({ run, executorKey }: MarkedRun): string {
  const executor = createHash("sha256").update(String(executorKey)).digest("hex").slice(0, 12);
  return `${run}@${executor}#`;
}

export interface Reaped {
  /** Processes that were found. */
  readonly count: number;
  /** Nothing of them is left. */
  readonly confirmedEmpty: boolean;
}

/** Ends what carries this mark: TERM, `graceMs`, then KILL, also to what comes up meanwhile. */
export function endMarked(mark: string, graceMs: number): Promise<Reaped> {
  return endAll((found) => found === mark, graceMs);
}

export interface Orphan extends MarkedRun {
  readonly pgid: number;
  /** The leader that was recorded, not another process with its number. */
  readonly isLeaderAlive: boolean;
}

/** Ends what an executor left of a run: the group while its leader lives, then whatever else carries its mark. */
export async function reapProgram(orphan: Orphan, graceMs: number): Promise<Reaped> {
  const isEmpty = orphan.isLeaderAlive ? await endGroup(orphan.pgid, graceMs) : true;
  const strays = await endAll((found) => found.startsWith(prefixOf(orphan)), graceMs);
  return {
    count: strays.count + Number(orphan.isLeaderAlive),
    confirmedEmpty: isEmpty && strays.confirmedEmpty,
  };
}

async function endAll(isOurs: (mark: string) => boolean, graceMs: number): Promise<Reaped> {
  const seen = new Set<number>();
  const signalAll = (signal: NodeJS.Signals | 0): boolean => {
    const pids = findMarked(isOurs);
    for (const pid of pids) if (signal !== 0) tell(pid, signal);
    for (const pid of pids) seen.add(pid);
    return pids.length > 0;
  };
  if (!signalAll("SIGTERM")) return { count: 0, confirmedEmpty: true };
  const isGone =
    (await goneWithin(() => signalAll(0), graceMs)) ||
    (await goneWithin(() => signalAll("SIGKILL"), KILL_MS));
  return { count: seen.size, confirmedEmpty: isGone };
}

async function goneWithin(isThere: () => boolean, limitMs: number): Promise<boolean> {
  for (let waitedMs = 0; isThere(); waitedMs += LOOK_MS) {
    if (waitedMs >= limitMs) return false;
    await systemClock.sleep(LOOK_MS);
  }
  return true;
}

function findMarked(isOurs: (mark: string) => boolean): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isOurs(markOf(pid)));
}

/** Empty for a process without a mark. */
function markOf(pid: number): string {
  const prefix = `${MARK_VARIABLE}=`;
  const entry = readEnvironment(pid)
    .split("\0")
    .find((it) => it.startsWith(prefix));
  return entry?.slice(prefix.length) ?? "";
}

function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    // It has ended, or is another user's: none that we could have started.
    return "";
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in this moment; if it may not be signalled, the next look still finds it.
  }
}
