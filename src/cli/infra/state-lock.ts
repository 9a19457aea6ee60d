/** The lock of a state, as people are told of it: who holds it, since when, and how it is freed. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { readLock, type StateLock } from "../../adapter/terraform-state.js";
import { systemClock } from "../../base/clock.js";
import { formatAge } from "../../base/duration.js";

/** What applies ends by itself before this: GitHub gives the job 60 minutes, and a cancelled one 5 more. */
export const HOLDER_MAX_MS = 66 * 60_000;

export interface LockPlace {
  readonly env: string;
  readonly stack: string;
  readonly folder: string;
}

/** One line: the lock, its holder, its age. */
export function describeLock({ id, who, operation, created }: StateLock, now: Date): string {
  const what = operation.replace("OperationType", "").toLowerCase();
  const age = formatAge(now.getTime() - created.getTime());
  return `the state is locked by ${who} (${what}) since ${created.toISOString()}, ${age}: lock ${id}`;
}

/** What to do when whoever holds it is gone. */
export function howToUnlock({ id }: StateLock, { env, stack }: LockPlace): string {
  return [
    "if its holder is gone, start the workflow `unlock`, or:",
    `algobrain infra unlock --env ${env} --stack ${stack} --lock ${id} --gone "HOW YOU KNOW"`,
  ].join(" ");
}

/** Of a complaint: the lock that was in the way, and the way to free it; empty when it is of something else. */
export function sayLocked(complaint: string, place: LockPlace): string[] {
  const lock = readLock(complaint);
  return lock === null ? [] : [describeLock(lock, systemClock.now()), howToUnlock(lock, place)];
}

/** Why the holder may be alive; null: it is gone. `gone`: how a person knows that, absent when nobody says so. */
export function whyAlive(
  lock: StateLock,
  { folder }: LockPlace,
  { now, gone }: { readonly now: Date; readonly gone: string | undefined },
): string | null {
  const pids = terraformsIn(folder);
  if (pids.length > 0)
    return `terraform is at work on it on this machine (process ${pids.join(", ")}): wait for it, or interrupt it once (kill -INT)`;
  const endsAt = new Date(lock.created.getTime() + HOLDER_MAX_MS);
  if (gone !== undefined || now >= endsAt) return null;
  return `its holder may be alive until ${endsAt.toISOString()}: look at the run that applied (its machine must be gone), then say how you know: --gone "run 123 was cancelled, its job has ended"`;
}

/** Processes of this machine that work in that folder. */
function terraformsIn(folder: string): readonly number[] {
  if (process.platform !== "linux") return [];
  const place = realpathSync(folder);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => isTerraformIn(pid, place));
}

function isTerraformIn(pid: number, place: string): boolean {
  try {
    const program = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return /^(terraform|tofu)$/.test(program) && readlinkSync(`/proc/${pid}/cwd`) === place;
  } catch {
    // It ended between the listing and the reading, or is another user's: then its folder is not ours to know.
    return false;
  }
}
