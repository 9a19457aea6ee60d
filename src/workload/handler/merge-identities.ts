/**
 * merge_identities (HB-wrk-10, HB-api-05). Each identity is merged in a transaction of its own, so that nobody is
 * kept waiting; when one of them turns out to be impossible, those before it are taken back (HB-heal-04).
 */
import { type Fault, fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { Database, Sql } from "../../store/database.js";
import { FORGOTTEN_ID } from "../../store/forgotten.js";
import { lockIdentities, renameByClaims } from "../../store/identities.js";
import { dropSettledHints } from "../../store/identity-hints.js";
import {
  countMovedClaims,
  findMergeOfJob,
  type MergeOutcome,
  mergeIdentity,
} from "../../store/identity-merges.js";
import { previewed } from "../../store/preview.js";
import type { MergeIdentities } from "../payloads.js";
import { undoMerge } from "../undo-merge.js";

/** Name of the compensation of one merge. */
export const UNDO_MERGE = "undo-merge";

/** Throws a data fault `MERGE_IMPOSSIBLE` when nothing was done, and else a partial `MERGE_HALF_DONE`. */
export async function mergeIdentities(
  db: Database,
  payload: MergeIdentities,
  context: JobContext,
): Promise<JsonObject> {
  const { identity_ids, target_identity_id: targetId, dry_run = false } = payload;
  refuseForgotten([...identity_ids, targetId]);
  if (dry_run) return previewMerges(db, payload, context.job.seq);
  const counts = { merged: 0, merged_before: 0 };
  for (const identityId of identity_ids) {
    context.signal.throwIfAborted();
    const jobSeq = context.job.seq;
    await context.compensateWith(UNDO_MERGE, { identityId, targetId, jobSeq });
    const outcome = await db.transaction((tx) => mergeOne(tx, identityId, targetId, jobSeq));
    if (outcome === "merged") counts.merged++;
    else if (outcome === "merged-before") counts.merged_before++;
    else throw cannotMerge(identityId, targetId, outcome, counts.merged + counts.merged_before);
  }
  return resultOf(db, counts, targetId, context.job.seq);
}

/** The same statements, undone at the end: what is impossible is so here, too. */
async function previewMerges(
  db: Database,
  { identity_ids, target_identity_id: targetId }: MergeIdentities,
  jobSeq: number,
): Promise<JsonObject> {
  const counts = { merged: 0, merged_before: 0 };
  return db.transaction((tx) =>
    previewed(tx, async () => {
      for (const identityId of identity_ids) {
        const outcome = await mergeOne(tx, identityId, targetId, jobSeq);
        if (outcome === "merged") counts.merged++;
        else if (outcome === "merged-before") counts.merged_before++;
        else throw cannotMerge(identityId, targetId, outcome, 0);
      }
      return { dry_run: true, ...(await resultOf(tx, counts, targetId, jobSeq)) };
    }),
  );
}

async function resultOf(
  sql: Sql,
  counts: { readonly merged: number; readonly merged_before: number },
  targetId: string,
  jobSeq: number,
): Promise<JsonObject> {
  const claims_moved = await countMovedClaims(sql, jobSeq);
  return { ...counts, claims_moved, target_identity_id: targetId };
}

async function mergeOne(
  tx: Sql,
  identityId: string,
  targetId: string,
  jobSeq: number,
): Promise<MergeOutcome> {
  await lockIdentities(tx);
  const asked = { reason: "asked", score: null, evidence: [], jobSeq };
  const outcome = await mergeIdentity(tx, { identityId, targetId, ...asked });
  if (outcome !== "merged") return outcome;
  await renameByClaims(tx, [targetId]);
  await dropSettledHints(tx, [identityId]);
  return outcome;
}

/** Behind it stand all who asked to be forgotten: who was merged with it would be lost among them, or they found in him. */
function refuseForgotten(ids: readonly string[]): void {
  if (ids.includes(FORGOTTEN_ID))
    throw fault.data(
      "MERGE_IMPOSSIBLE",
      `${FORGOTTEN_ID} stands for people who were forgotten, and is merged with nobody`,
      { hint: "leave it out of the payload and retry the job" },
    );
}

/** Nothing done yet: the payload is wrong. Something done, now or by an earlier attempt: it is taken back first. */
function cannotMerge(
  identityId: string,
  targetId: string,
  outcome: Exclude<MergeOutcome, "merged" | "merged-before">,
  doneCount: number,
): Fault {
  const why = {
    "identity-unknown": `there is no identity ${identityId}`,
    "target-unknown": `there is no identity ${targetId} to merge into`,
    "merged-elsewhere": `${identityId} or ${targetId} is merged into another identity`,
  }[outcome];
  const hint = "correct the ids in the payload and retry the job";
  if (doneCount === 0) return fault.data("MERGE_IMPOSSIBLE", why, { hint });
  return fault.partial("MERGE_HALF_DONE", `${why}; the ${doneCount} before it are taken back`, {
    hint,
  });
}

/** Of one merge of a job that came only half the way. That says nothing about the two: evidence may join them again. */
export async function compensateMerge(db: Database, input: JsonObject): Promise<void> {
  const { identityId, jobSeq } = input;
  if (typeof identityId !== "string" || typeof jobSeq !== "number")
    throw fault.critical("COMPENSATION_INVALID", "the stored input of undo-merge cannot be read");
  await db.transaction(async (tx) => {
    await lockIdentities(tx);
    const mergeId = await findMergeOfJob(tx, identityId, jobSeq);
    if (mergeId !== null) await undoMerge(tx, mergeId, null);
  });
}
