/**
 * A repository on a disk that hangs: git blocks reading its branch until the test lets go. So a job runs
 * exactly as long as a test needs it to, and that its git was ended can be seen.
 */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/until.js";

export interface HeldRepository {
  /** Resolves when a git waits in it. */
  readonly entered: () => Promise<void>;
  /** Resolves when that git is no more. */
  readonly left: () => Promise<void>;
  /** For every git from now on; one that waits goes on waiting. */
  readonly heal: () => void;
  /** Ends the wait of whoever still waits. */
  readonly close: () => void;
}

export function holdRepository(path: string): HeldRepository {
  const branch = join(path, ".git", "refs", "heads", "main");
  const kept = `${branch}.kept`;
  const pipe = `${branch}.pipe`;
  execFileSync("mkfifo", [pipe]);
  renameSync(branch, kept);
  renameSync(pipe, branch);
  let writer: number | null = null;
  return {
    entered: async () => {
      writer = await until(() => openWriter(branch), "git reads the branch of the held repository");
    },
    left: async () => {
      const held = writer;
      if (held === null) throw new Error("nobody had entered");
      await until(() => isReaderGone(held), "the git that waited has ended");
    },
    heal: () => renameSync(kept, branch),
    close: () => {
      if (writer !== null) closeSync(writer);
      writer = null;
    },
  };
}

/** Null while nobody reads. As long as it is open, a reader waits for more. */
function openWriter(pipe: string): number | null {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENXIO") return null;
    throw error;
  }
}

function isReaderGone(writer: number): boolean {
  try {
    writeSync(writer, "0");
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return true;
    throw error;
  }
}
