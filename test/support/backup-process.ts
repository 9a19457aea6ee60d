/** An executor that works on one run with the runbooks of this program and a `pg_dump` of a folder's own. */
import { reapProgram } from "../../src/adapter/reap.js";
import { createShell } from "../../src/adapter/shell.js";
import { silentLogger } from "../../src/base/log.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { reapOrphans } from "../../src/runtime/executor/reap.js";
import { processKey } from "../../src/runtime/process-key.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { makeHandlerDeps, workOn } from "./runbook-world.js";

export interface BackupPlace {
  readonly databaseUrl: string;
  /** Holds the program `pg_dump`; the backups come into `backups` beside it. */
  readonly folder: string;
  readonly runId: string;
}

export async function workOnBackup(db: Database, place: BackupPlace): Promise<unknown> {
  const { databaseUrl: directUrl, folder, runId } = place;
  const path = `${folder}:/usr/bin:/bin`;
  const { care } = makeHandlerDeps(db, { directUrl, backupsDir: `${folder}/backups` });
  const reap = (seq: number) => reapOrphans({ db, log: silentLogger, reap: reapProgram }, seq);
  const shell = createShell({ redact: (text) => text, keyOf: processKey, path });
  return workOn({ db, registry: await loadRunbooks(), shell, other: { care, reap } }, runId);
}

const { TEST_BACKUP_PLACE: given } = process.env;
if (given !== undefined) {
  const place = JSON.parse(given) as BackupPlace;
  const url = place.databaseUrl;
  const db = openDatabase({ url, poolMax: 5, applicationName: "test-backup", ssl: false });
  await workOnBackup(db, place);
  await db.close();
}
