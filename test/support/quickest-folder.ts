/** Where files of tests are written fastest: to memory, where there is room. */
import { readFile, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";

const IN_MEMORY = "/dev/shm";
/** Of which a run uses a tenth at most: what a test makes it throws away. */
const ROOM_BYTES = 4 * 1024 ** 3;

/**
 * A test makes some hundred files (a database, a repository) and throws them away, and ext4 is slow to make files
 * where many were just deleted.
 */
export async function quickestFolder(): Promise<string> {
  const mounts = await readFile("/proc/mounts", "utf8").catch(() => ""); // Not Linux.
  const mount = mounts.split("\n").find((line) => line.includes(` ${IN_MEMORY} `));
  // Some tests run the programs that they write.
  if (mount === undefined || mount.includes("noexec")) return tmpdir();
  const { bavail, bsize } = await statfs(IN_MEMORY);
  return bavail * bsize >= ROOM_BYTES ? IN_MEMORY : tmpdir();
}
