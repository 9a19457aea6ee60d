/**
 * The task `restore-test` of maintenance: the newest whole backup is put into a database of its own, counted,
 * checked and dropped again. A backup that nobody has ever restored is a hope.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { BackupView } from "../../runbook/database-port.js";
import { checkBackup, listBackups } from "../../store/backup-folder.js";
import type { Database } from "../../store/database.js";
import { findBrokenInvariants } from "../../store/invariants.js";
import { addReport, readBackupRows } from "../../store/maintenance-reports.js";
import {
  COUNTED,
  dropRestored,
  dropScratchDatabase,
  listScratch,
  lookInto,
  type RestoreOptions,
  readScratchPrefix,
  restoreInto,
} from "../../store/restored-database.js";

export interface RestoreTestDeps {
  readonly db: Database;
  readonly care: RestoreOptions;
}

/** Throws a data Fault `RESTORE_TEST_FAILED`: a person must look before the backup is needed. */
export async function testRestore(deps: RestoreTestDeps, context: JobContext): Promise<JsonObject> {
  const { db, care } = deps;
  await dropScratch(deps);
  const backup = (await listBackups(care.backupsDir)).find(isWhole);
  if (backup === undefined) return { tested: null, why: `no whole backup in ${care.backupsDir}` };
  const wrong = await checkBackup(care.backupsDir, backup.id);
  const database = `${await readScratchPrefix(db)}${context.job.seq}`;
  const restore = () => restoreAndLook(deps, { backup, database }, context);
  const found = wrong.length > 0 ? { wrong } : await restore();
  const ok = found.wrong.length === 0;
  const facts = { tested: backup.id, ...found };
  await addReport(db, { kind: "restore-test", at: context.now(), ok, facts });
  if (ok) return facts;
  throw fault.data("RESTORE_TEST_FAILED", `${backup.id}: ${found.wrong.join("; ")}`, {
    hint: "take a new backup and test that one; keep this one for whoever finds out why",
  });
}

/** Runbooks also back up one table, or the schema alone; of pg_dump's files only the name tells. */
function isWhole({ id, rows }: BackupView): boolean {
  if (rows === null) return !/-run-\d+\.dump$/.test(id);
  return COUNTED.every((name) => rows[`public.${name}`] !== undefined);
}

async function restoreAndLook(
  deps: RestoreTestDeps,
  { backup, database }: { readonly backup: BackupView; readonly database: string },
  { signal, log }: JobContext,
): Promise<JsonObject & { readonly wrong: string[] }> {
  log.info("restore-test.restoring", { backup: backup.id, database });
  try {
    await restoreInto(deps.care, { backup: backup.id, database, signal });
    const { rows, broken } = await lookInto(deps.care, database);
    const wanted = backup.rows ?? (await readBackupRows(deps.db, backup.id));
    const here = await findBrokenInvariants(deps.db);
    const isHere = (found: string) =>
      here.some(({ invariant }) => found.startsWith(`${invariant}: `));
    const wrong = [...differences(wanted, rows), ...broken.filter((found) => !isHere(found))];
    // What is as wrong in the living data is for `audit` to tell: the backup is faithful.
    const shared = broken.filter(isHere);
    const broken_here_too: JsonObject = shared.length > 0 ? { broken_here_too: shared } : {};
    return { ...broken_here_too, rows, counted: wanted !== null, wrong };
  } finally {
    await dropRestored(deps.care, database);
  }
}

function differences(
  wanted: Readonly<Record<string, number>> | null,
  restored: Readonly<Record<string, number>>,
): string[] {
  if (wanted === null) return [];
  return Object.entries(restored)
    .filter(([name, rows]) => wanted[name] !== rows)
    .map(([name, rows]) => `${name} has ${rows} rows, and ${wanted[name]} in the backup`);
}

/** Left by a test that was killed, as maintenance runs once in the world (workers.yaml). Returns their names. */
export async function dropScratch({ db, care }: RestoreTestDeps): Promise<string[]> {
  const prefix = await readScratchPrefix(db);
  const left = await listScratch(db, prefix);
  for (const name of left) await dropScratchDatabase(care, name);
  return left;
}
