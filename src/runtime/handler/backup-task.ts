/**
 * The task `backup` of maintenance: takes a backup, reads it back, and keeps the newest few of its own. Those that
 * runbooks or people took are never removed.
 */
import { DAY_MS, HOUR_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import { checkBackup, listBackups, removeBackup } from "../../store/backup-folder.js";
import type { Database } from "../../store/database.js";
import { addReport } from "../../store/maintenance-reports.js";
import { type BackupPlace, readBackupRoom, takeBackup } from "../../store/take-backup.js";

/** The backup, and what the database writes meanwhile. */
const ROOM_FACTOR = 2;
const MEBIBYTE = 1024 * 1024;
const OF_A_JOB = /-job-\d+(\.dump)?$/;
/** A database that was restored counts its jobs anew: an older backup of that number is another job's. */
const OWN_SINCE_MS = HOUR_MS;

export interface BackupTaskDeps {
  readonly db: Database;
  readonly care: BackupPlace;
  /** Of those that this task made (workload.yaml). */
  readonly backupsKeep: number;
}

/**
 * A retry goes on with what the attempt before it finished. Throws Faults: refused `NO_ROOM_FOR_BACKUP`, transient
 * `BACKUP_FAILED` also for what cannot be read back.
 */
export async function backUp(deps: BackupTaskDeps, context: JobContext): Promise<JsonObject> {
  const { db, care, backupsKeep } = deps;
  const { id, rows } = (await findOwn(care.backupsDir, context)) ?? (await take(deps, context));
  const wrong = await checkBackup(care.backupsDir, id);
  if (wrong.length > 0) {
    await removeBackup(care.backupsDir, id);
    throw fault.transient("BACKUP_FAILED", `${id} could not be read back: ${wrong.join("; ")}`);
  }
  const { bytes, method } = (await listBackups(care.backupsDir)).find((it) => it.id === id)!;
  const removed = await removeOld(care.backupsDir, backupsKeep);
  const facts = { backup: id, method, bytes, rows: rows && { ...rows }, removed };
  await addReport(db, { kind: "backup", at: context.now(), ok: true, facts });
  return facts;
}

/** Whether none of its own is younger than a day. */
export async function isBackupDue(folder: string, now: Date): Promise<boolean> {
  const [newest] = await listOfJobs(folder);
  return newest === undefined || now.getTime() - newest.takenAt.getTime() >= DAY_MS;
}

async function take({ db, care }: BackupTaskDeps, { job, now, signal }: JobContext) {
  const { databaseBytes, freeBytes } = await readBackupRoom(db, care.backupsDir);
  if (freeBytes < databaseBytes * ROOM_FACTOR)
    throw fault.refused(
      "NO_ROOM_FOR_BACKUP",
      `${care.backupsDir} has ${inMebibytes(freeBytes)} left, and the database takes ${inMebibytes(databaseBytes)}`,
      { hint: `make room for ${ROOM_FACTOR} times the database` },
    );
  return takeBackup(care, { suffix: job.id, now: now(), signal });
}

/** What an attempt that was killed had finished; how many rows it counted is then not known any more. */
async function findOwn(folder: string, { job }: JobContext) {
  const since = job.createdAt.getTime() - OWN_SINCE_MS;
  const own = (await listBackups(folder)).find(
    ({ id, takenAt }) =>
      id.replace(/\.dump$/, "").endsWith(`-${job.id}`) && takenAt.getTime() >= since,
  );
  return own === undefined ? null : { id: own.id, rows: null };
}

async function removeOld(folder: string, keep: number): Promise<string[]> {
  const old = (await listOfJobs(folder)).slice(keep);
  for (const { id } of old) await removeBackup(folder, id);
  return old.map(({ id }) => id);
}

async function listOfJobs(folder: string) {
  return (await listBackups(folder)).filter(({ id }) => OF_A_JOB.test(id));
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE)} MiB`;
}
