/** The backups of this installation: a folder with one file of pg_dump or one folder of tables each, by name. */
import { readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, Fault, fault } from "../base/fault.js";
import type { BackupView } from "../runbook/database-port.js";
import { sha256OfFile } from "./file-digest.js";
import { MANIFEST_NAME } from "./table-dump.js";
import { checkSum, readManifest } from "./table-restore.js";

/** As `backupDatabase` names them; nothing else in the folder is ever read or removed. */
const BACKUP_ID = /^algobrain-[a-z0-9-]+-\d{8}T\d{6}Z(-(run|job)-\d+)?(\.dump)?$/;

/** Finished ones, newest first. No folder: there are none. */
export async function listBackups(folder: string): Promise<BackupView[]> {
  const names = await namesIn(folder);
  const found = await Promise.all(
    names.filter((name) => BACKUP_ID.test(name)).map((name) => readBackup(folder, name)),
  );
  return found
    .filter((it) => it !== null)
    .sort((a, b) => b.takenAt.getTime() - a.takenAt.getTime() || (a.id < b.id ? 1 : -1));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

/** Null: it was never finished; what ends last, its checksum or its manifest, is missing. */
async function readBackup(folder: string, id: string): Promise<BackupView | null> {
  const path = join(folder, id);
  try {
    if (id.endsWith(".dump")) {
      await stat(`${path}.sha256`);
      const { size: bytes, mtime: takenAt } = await stat(path);
      return { id, takenAt, method: "pg_dump", bytes, rows: null };
    }
    await stat(join(path, MANIFEST_NAME));
  } catch (error) {
    if (isMissing(error)) return null;
    throw unreadable(path, error);
  }
  const { takenAt, tables } = await readManifest(path);
  const sizes = await Promise.all(tables.map(({ file }) => stat(join(path, file))));
  const rows = tables.map((table) => [`${table.schema}.${table.name}`, table.rows] as const);
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
  return {
    id,
    takenAt: new Date(takenAt),
    method: "tables",
    bytes,
    rows: Object.fromEntries(rows),
  };
}

/** Its path; throws a refused fault for what is no backup of this folder, whatever characters it is made of. */
export async function findBackup(folder: string, id: string): Promise<string> {
  if ((await listBackups(folder)).some((backup) => backup.id === id)) return join(folder, id);
  throw fault.refused("BACKUP_UNKNOWN", `there is no finished backup ${id.slice(0, 100)}`, {
    hint: "/algobrain restore-database lists them",
  });
}

/** What is not as it was written, in words. */
export async function checkBackup(folder: string, id: string): Promise<string[]> {
  const path = await findBackup(folder, id);
  if (id.endsWith(".dump")) {
    const [wanted] = (await readFile(`${path}.sha256`, "utf8")).split(" ");
    return (await sha256OfFile(path)) === wanted ? [] : [`${id} does not fit its SHA-256`];
  }
  const { tables } = await readManifest(path);
  const wrong = await Promise.all(
    tables.map(async (table) => {
      try {
        await checkSum(path, table);
        return [];
      } catch (error) {
        return [errorMessage(error)];
      }
    }),
  );
  return wrong.flat();
}

export async function removeBackup(folder: string, id: string): Promise<boolean> {
  if (!(await listBackups(folder)).some((backup) => backup.id === id)) return false;
  // Without its last part it is no backup any more, however far this comes.
  await rm(join(folder, `${id}.sha256`), { force: true });
  await rm(join(folder, id, MANIFEST_NAME), { force: true });
  await rm(join(folder, id), { recursive: true, force: true });
  return true;
}

/** What was killed and left half done, by what its name ends with (`run-17`, `job-17`). Nobody may still be writing it. */
export async function removeUnfinished(folder: string, suffix: string): Promise<void> {
  const own = (await namesIn(folder)).filter(
    (name) => BACKUP_ID.test(name) && name.replace(/\.dump$/, "").endsWith(`-${suffix}`),
  );
  for (const name of own)
    if ((await readBackup(folder, name)) === null)
      await rm(join(folder, name), { recursive: true, force: true });
}

/** Bytes that this program may still write there, or where it will be made. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (isMissing(error)) return freeBytes(join(folder, ".."));
    throw unreadable(folder, error);
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR";
}

function unreadable(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  return fault.transient("BACKUP_UNREADABLE", `cannot read ${path}: ${errorMessage(error)}`, {
    cause: error,
  });
}
