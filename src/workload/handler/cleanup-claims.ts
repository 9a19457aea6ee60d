/**
 * cleanup_orphaned_claims (HB-api-06) and restore_claims, which takes it back. A claim leaves its table and enters the
 * record of the job in one statement, so a kill at any point loses none.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import { countLostClaims, redirectClaims, removeOrphanedClaims } from "../../store/claims.js";
import type { Database, Sql } from "../../store/database.js";
import { lockIdentities } from "../../store/identities.js";
import { previewed } from "../../store/preview.js";
import { listRepairRecords, restoreClaims } from "../../store/repair-records.js";
import { loadForgotten } from "../forgotten.js";
import type { RestoreClaims } from "../payloads.js";

/** As many as one record holds. */
const BATCH_ROWS = 1_000;
const CLEANUP = "cleanup_orphaned_claims";

export async function cleanUpClaims(
  db: Database,
  dryRun: boolean,
  context: JobContext,
): Promise<JsonObject> {
  const lost = await countLostClaims(db);
  if (dryRun) return { dry_run: true, redirected: lost.misled, deleted: lost.orphaned };
  const redirected = await redirectAll(db, context);
  const deleted = await removeAll(db, lost.orphaned, context);
  return { redirected, deleted };
}

async function redirectAll(db: Database, { signal }: JobContext): Promise<number> {
  let redirected = 0;
  for (let afterId = 0; ; ) {
    signal.throwIfAborted();
    const ids = await db.transaction(async (tx) => {
      await lockIdentities(tx);
      return redirectClaims(tx, afterId, BATCH_ROWS);
    });
    redirected += ids.length;
    if (ids.length < BATCH_ROWS) return redirected;
    afterId = ids.at(-1)!;
  }
}

async function removeAll(
  db: Database,
  expected: number,
  { job, signal, progress }: JobContext,
): Promise<number> {
  const record = { jobSeq: job.seq, kind: CLEANUP };
  for (let deleted = 0; ; ) {
    signal.throwIfAborted();
    const count = await db.transaction(async (tx) => {
      // Under the lock nobody writes a claim before its identity, or an identity after it was missed.
      await lockIdentities(tx);
      return removeOrphanedClaims(tx, BATCH_ROWS, record);
    });
    deleted += count;
    progress(Math.min(1, deleted / Math.max(1, expected)), `${deleted} of ${expected} removed`);
    if (count < BATCH_ROWS) return deleted;
  }
}

/** Throws a data fault `RESTORE_IMPOSSIBLE` when that job took nothing away, or its record has expired. */
export async function restoreCleanedClaims(
  db: Database,
  { job, dry_run = false }: RestoreClaims,
  { signal }: JobContext,
): Promise<JsonObject> {
  const jobSeq = Number(job.replace(/^job-/, ""));
  // More digits than any job has: no number that the database takes.
  const records = Number.isSafeInteger(jobSeq) ? await listRepairRecords(db, jobSeq, CLEANUP) : [];
  if (records.length === 0)
    throw fault.data("RESTORE_IMPOSSIBLE", `nothing is kept of claims that ${job} took away`, {
      hint: "name the job of a cleanup_orphaned_claims that removed some and is not yet expired",
    });
  let [restored, restored_before] = [0, 0];
  for (const { id, rows, undone } of records) {
    signal.throwIfAborted();
    if (undone) restored_before += rows;
    else restored += await db.transaction((tx) => restoreOne(tx, id));
  }
  return { ...(dry_run ? { dry_run } : {}), restored, restored_before };

  async function restoreOne(tx: Sql, id: number): Promise<number> {
    // Nobody is forgotten from here on: a name that is just being taken out of the records does not come back.
    await loadForgotten(tx);
    await lockIdentities(tx);
    return dry_run ? previewed(tx, () => restoreClaims(tx, id)) : restoreClaims(tx, id);
  }
}
