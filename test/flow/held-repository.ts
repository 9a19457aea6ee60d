/**
 * A repository that git cannot get through: its one branch stands in a list of a million references that is in no
 * order, so git works for a second or more, and the test stops it there. So a job runs exactly as long as a test needs
 * it to, and that its git was ended can be seen. (No pipe: what is no plain file is refused before git begins.)
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.js";

export interface HeldRepository {
  /** Resolves when a git that reads it has been stopped. */
  readonly entered: () => Promise<void>;
  /** Resolves when that git is no more. */
  readonly left: () => Promise<void>;
  /** For every git from now on; the one that was stopped stays so. */
  readonly heal: () => void;
  /** Lets the one that was stopped go on. */
  readonly close: () => void;
}

/** Below the 64 MiB that are read of such a list. */
const REFERENCES = 900_000;

/** `home`: of the service whose jobs read it; what others run beside it is left alone. */
export function holdRepository(path: string, home: string): HeldRepository {
  const branch = join(path, ".git", "refs", "heads", "main");
  const packed = join(path, ".git", "packed-refs");
  const kept = `${branch}.kept`;
  const commit = readFileSync(branch, "utf8").trim();
  writeFileSync(packed, unsorted(commit));
  renameSync(branch, kept);
  let stopped: number | null = null;
  return {
    entered: async () => {
      stopped = await until(() => stopReader(home), "git reads the branch of the held repository");
    },
    left: async () => {
      const pid = stopped;
      if (pid === null) throw new Error("nobody had entered");
      await until(() => {
        // A program that waits for a disk ends by TERM at once; one that is stopped takes it when it goes on.
        if (wasTold(pid)) process.kill(pid, "SIGCONT");
        return !isThere(pid);
      }, "the git that was stopped has ended");
      stopped = null;
    },
    heal: () => {
      renameSync(kept, branch);
      rmSync(packed);
    },
    close: () => {
      if (stopped !== null && isThere(stopped)) process.kill(stopped, "SIGCONT");
      stopped = null;
    },
  };
}

/** Without the word "sorted" in its first line git puts it in order each time (gitformat: packed-refs). */
function unsorted(commit: string): string {
  const lines = Array.from(
    { length: REFERENCES },
    (_, n) => `${commit} refs/x/${((n * 7_919) % REFERENCES).toString(36)}`,
  );
  return `${lines.join("\n")}\n${commit} refs/heads/main\n`;
}

/** A git at work on a view of a repository; null while there is none. */
function stopReader(home: string): number | null {
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !isReader(pid, home)) continue;
    process.kill(pid, "SIGSTOP");
    return pid;
  }
  return null;
}

function isReader(pid: number, home: string): boolean {
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const isGit = program === "git" || program.endsWith("/git");
    return isGit && args.some((arg) => arg.startsWith(`--git-dir=${join(home, "git-views")}`));
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

/** Whether TERM waits for it (proc(5): ShdPnd, a bit a signal). */
function wasTold(pid: number): boolean {
  const [, pending = "0"] = /^ShdPnd:\s+([0-9a-f]+)$/m.exec(statusOf(pid)) ?? [];
  return (BigInt(`0x${pending}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n;
}

function isThere(pid: number): boolean {
  const status = statusOf(pid);
  return status !== "" && !/^State:\s+Z/m.test(status);
}

/** Empty when it is gone. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // It has ended, and has been waited for.
    return "";
  }
}
