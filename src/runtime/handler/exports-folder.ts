/** The folder for exports: made when missing, readable for nobody else, as rows may hold what only operators may see. */
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, fault } from "../../base/fault.js";

/** Throws a transient fault `EXPORTS_FOLDER_UNUSABLE`: a full or missing disk may come back. */
export async function ensureExportsFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw exportsFolderUnusable(folder, error);
  });
}

export function exportsFolderUnusable(folder: string, error: unknown): Error {
  return fault.transient(
    "EXPORTS_FOLDER_UNUSABLE",
    `cannot use the exports folder ${folder}: ${errorMessage(error)}`,
    { cause: error, hint: "make room, and let the user that runs the workers write there" },
  );
}

/** On disk when it returns. The file is made when missing. */
export async function appendLines(
  folder: string,
  name: string,
  lines: readonly string[],
): Promise<void> {
  await ensureExportsFolder(folder);
  const file = await open(join(folder, name), "a", 0o600);
  try {
    await file.appendFile(lines.map((line) => `${line}\n`).join(""));
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** What we write there, finished or not; what else lies there is somebody else's. */
const OURS =
  /^[a-z_-]+-job-\d+\.(ndjson|csv)(\.gz)?(\.manifest\.json)?(\.[0-9a-f]{8})?(\.parts?)*$/;

/** Paths of the exports that nobody has written to since `before`. None without a folder. */
export async function listFilesBefore(folder: string, before: Date): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw exportsFolderUnusable(folder, error);
  });
  const old: string[] = [];
  for (const name of names.filter((candidate) => OURS.test(candidate)).sort()) {
    const path = join(folder, name);
    if ((await stat(path)).mtime < before) old.push(path);
  }
  return old;
}

export async function deleteFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}
