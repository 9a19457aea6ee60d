/**
 * Ends a detached process group and confirms that it is gone. Asks the kernel, never the `ps` program,
 * which slim images lack.
 */
import { readdirSync, readFileSync } from "node:fs";
import { assert } from "../base/assert.js";
import { systemClock } from "../base/clock.js";

/** Between two looks at a group that was told to end: short at first, for most end at once. */
const LOOK_MS_MIN = 10;
const LOOK_MS_MAX = 200;
/** How long the kernel may take to end what got KILL; longer only in uninterruptible sleep. */
const KILL_MS = 2_000;

/** TERM (or `first`), `graceMs`, then KILL. True when the group is confirmed empty. */
export async function endGroup(
  groupId: number,
  graceMs: number,
  first: NodeJS.Signals = "SIGTERM",
): Promise<boolean> {
  // To signal group 1 would be to signal everybody.
  assert(Number.isInteger(groupId) && groupId > 1, `${groupId} is no process group of ours`);
  if (!signalGroup(groupId, first)) return true;
  if (await isEmptyWithin(groupId, graceMs)) return true;
  signalGroup(groupId, "SIGKILL");
  return isEmptyWithin(groupId, KILL_MS);
}

/** True when somebody in the group got the signal (0 only asks); false when the group is empty. */
function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ESRCH") return false;
    // EPERM: members exist that we may not signal (a setuid program). They are there all the same.
    if (code === "EPERM") return true;
    throw error;
  }
}

async function isEmptyWithin(groupId: number, limitMs: number): Promise<boolean> {
  let lookMs = LOOK_MS_MIN;
  for (let waitedMs = 0; hasLivingMember(groupId); waitedMs += lookMs) {
    if (waitedMs >= limitMs) return false;
    lookMs = Math.min(lookMs * 2, LOOK_MS_MAX);
    await systemClock.sleep(lookMs);
  }
  return true;
}

/**
 * The dead count as gone even while nobody has buried them: in a container whose first process reaps no
 * orphans, a zombie keeps its group for ever.
 */
function hasLivingMember(groupId: number): boolean {
  if (!signalGroup(groupId, 0)) return false;
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && isLivingMember(name, groupId));
}

function isLivingMember(pid: string, groupId: number): boolean {
  const stat = readStat(pid);
  // `pid (program name) state ppid pgrp …`: the name may hold anything, also blanks and brackets.
  const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(group) === groupId && state !== "Z" && state !== "X";
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // It ended between the listing and the reading: as dead as it gets.
    return "";
  }
}
