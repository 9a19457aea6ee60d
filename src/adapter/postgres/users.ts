/**
 * Who uses the server of a home: one file a use, named after the process. The last to leave stops the
 * server, whoever started it; a process that was killed is not counted.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.js";
import { isAlive } from "./reach.js";

/** Numbers of processes repeat, above all in containers: the time of our start tells us from who had ours before. */
const OURSELVES = `${process.pid}-${Math.round(performance.timeOrigin)}`;

const folderOf = (home: string): string => join(home, "postgres.users");

/** Before the server is looked for, so that nobody stops it meanwhile. Returns the name of this use. */
export async function enter(home: string): Promise<string> {
  await mkdir(folderOf(home), { recursive: true });
  const use = `${OURSELVES}-${randomBytes(4).toString("hex")}`;
  await writeFile(join(folderOf(home), use), "");
  return use;
}

/** True when nobody else uses the server any more: then the caller stops it. */
export async function leave(home: string, use: string): Promise<boolean> {
  await rm(join(folderOf(home), use), { force: true });
  let others = 0;
  for (const other of await readdir(folderOf(home))) {
    if (await isInUse(join(folderOf(home), other), other)) others += 1;
    else await rm(join(folderOf(home), other), { force: true });
  }
  return others === 0;
}

async function isInUse(file: string, use: string): Promise<boolean> {
  const pid = Number(use.split("-", 1)[0]);
  if (pid === process.pid) return use.startsWith(`${OURSELVES}-`);
  const writtenAt = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const bootedAt = systemClock.now().getTime() - uptime() * 1_000;
  return writtenAt > bootedAt && isAlive(pid);
}
