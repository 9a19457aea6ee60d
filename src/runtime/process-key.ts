/**
 * Names a process so that others on the same machine can see that it is gone, at once and for certain: machine
 * boot, process namespace, process number and its start. Elsewhere nothing can be told; then its lease decides.
 */
import { readFileSync, readlinkSync } from "node:fs";

/** Null where the system does not tell (only Linux does). */
export function processKey(pid: number): string | null {
  const where = machine();
  if (where === null) return null;
  try {
    return `${where} ${pid} ${startOf(pid)}`;
  } catch {
    return null;
  }
}

/**
 * True: it was a process of this machine, and it is no more. False: it runs, or nobody here can know.
 * @param startedAt of a process number; throws as `readFileSync` does
 */
export function isGone(key: string | null, startedAt = startOf): boolean {
  if (key === null) return false;
  const [boot, namespace, pid] = key.split(" ");
  if (`${boot} ${namespace}` !== machine()) return false;
  try {
    return `${boot} ${namespace} ${pid} ${startedAt(Number(pid))}` !== key;
  } catch (error) {
    return saysGone(error);
  }
}

/** Whoever has no file left to open, or may not look, knows nothing of the others. */
function saysGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return error === ENDED || code === "ENOENT" || code === "ESRCH";
}

const ENDED = new Error("it has ended");

let known: string | null | undefined;

/** Read once: it stays as it is for as long as this process runs. Null where the system does not tell. */
function machine(): string | null {
  if (known === undefined) known = readMachine();
  return known;
}

function readMachine(): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return null;
  }
}

/** Clock ticks from the boot to the start of the process: tells it from a later one with the same number. */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before the last bracket may hold spaces; a zombie has ended, whoever has not asked yet.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z") throw ENDED;
  return fields[19] ?? "";
}
