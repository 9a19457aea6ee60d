/** undo_merge: a person says of merges that they were wrong. No evidence joins those two again (HB-wrk-10). */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { Database, Sql } from "../../store/database.js";
import { lockIdentities } from "../../store/identities.js";
import { knownMerges } from "../../store/identity-merges.js";
import { previewed } from "../../store/preview.js";
import type { UndoMerge } from "../payloads.js";
import { undoMerge } from "../undo-merge.js";

/** Throws a data fault `UNDO_IMPOSSIBLE`, and nothing is done. */
export async function undoMerges(
  db: Database,
  { merge_ids, dry_run = false }: UndoMerge,
  { job, signal }: JobContext,
): Promise<JsonObject> {
  await refuseUnknown(db, merge_ids);
  const counts = { undone: 0, undone_before: 0, claims_back: 0 };
  const undoOne = async (tx: Sql, mergeId: number) => {
    await lockIdentities(tx);
    const done = await undoMerge(tx, mergeId, job.seq);
    if (done === null) counts.undone_before++;
    else counts.undone++;
    counts.claims_back += done?.claimsBack ?? 0;
  };
  if (dry_run) {
    await db.transaction((tx) =>
      previewed(tx, async () => {
        for (const mergeId of merge_ids) await undoOne(tx, mergeId);
      }),
    );
    return { dry_run, ...counts };
  }
  for (const mergeId of merge_ids) {
    signal.throwIfAborted();
    await db.transaction((tx) => undoOne(tx, mergeId));
  }
  return counts;
}

async function refuseUnknown(sql: Sql, ids: readonly number[]): Promise<void> {
  // Beyond these there is no number that the database takes.
  const known = await knownMerges(sql, ids.filter(Number.isSafeInteger));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, 10).join(", ");
  throw fault.data("UNDO_IMPOSSIBLE", `there is no merge with the number ${shown}`, {
    hint: "correct merge_ids in the payload; the numbers are those of the merges that a job made",
  });
}
