/** Where databases of tests are written fastest: to memory, where there is room. */
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";

const IN_MEMORY = "/dev/shm";
/** A run uses less than a tenth of it: databases that are dropped at once, and a log that is cut at 1 GB. */
const ROOM_BYTES = 4 * 1024 ** 3;

/** A clone of a database is some hundred files that are made, read once and thrown away. */
export async function quickestFolder(): Promise<string> {
  const free = await statfs(IN_MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0, // There is none: not Linux, or a bare container.
  );
  return free >= ROOM_BYTES ? IN_MEMORY : tmpdir();
}
