/** The logs of closed incidents as files, one each: to be put into the repository, or read without the database. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.js";

/** Answers with the file's path. Written whole or not at all. */
export async function keepIncidentLog(
  folder: string,
  number: string,
  text: string,
): Promise<string> {
  assert(/^INC-\d{4}-\d\d-\d\d-\d{3,}$/.test(number), `"${number}" is no number of an incident`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${number}.md`);
  const unfinished = `${path}.${process.pid}.tmp`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, path);
  return path;
}
