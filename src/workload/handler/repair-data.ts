/**
 * repair (HB-wrk-10): merges identities, removes orphaned claims, rebuilds indexes. A merge of several
 * identities takes one short transaction each, so that live identity jobs are not kept waiting; when one
 * of them turns out to be impossible, those before it are taken back (HB-heal-04).
 */
import { unreachable } from "../../base/assert.js";
import { type Fault, fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import { deleteOrphanedClaims, redirectClaims } from "../../store/claims.js";
import type { Database } from "../../store/database.js";
import {
  lockIdentities,
  type MergeOutcome,
  mergeIdentity,
  renameByClaims,
  undoMerge,
} from "../../store/identities.js";
import type { RepairPayload } from "../payloads.js";
import { rebuildIndexes } from "./rebuild-indexes.js";

const UNDO_MERGE = "undo-merge";
const BATCH_ROWS = 1_000;

type MergePayload = Extract<RepairPayload, { repair_type: "merge_identities" }>;

export function createRepairHandler(deps: { readonly db: Database }): JobHandler {
  return {
    kind: "repair",
    run: async (context) => {
      const payload = context.job.payload as unknown as RepairPayload;
      switch (payload.repair_type) {
        case "merge_identities":
          return mergeIdentities(deps.db, payload, context);
        case "cleanup_orphaned_claims":
          return cleanUpClaims(deps.db, context);
        case "rebuild_indexes":
          return rebuildIndexes(deps.db, context);
        default:
          return unreachable(payload);
      }
    },
    compensations: {
      [UNDO_MERGE]: (input) => undo(deps.db, input),
    },
  };
}

async function mergeIdentities(
  db: Database,
  { identity_ids, target_identity_id: targetId }: MergePayload,
  context: JobContext,
): Promise<JsonObject> {
  const counts = { merged: 0, merged_before: 0 };
  for (const identityId of identity_ids) {
    context.signal.throwIfAborted();
    await context.compensateWith(UNDO_MERGE, { identityId, targetId, jobSeq: context.job.seq });
    const outcome = await mergeOne(db, identityId, targetId, context.job.seq);
    if (outcome === "merged") counts.merged++;
    else if (outcome === "merged-before") counts.merged_before++;
    else throw cannotMerge(identityId, targetId, outcome, counts.merged + counts.merged_before);
  }
  return { ...counts, target_identity_id: targetId };
}

async function mergeOne(
  db: Database,
  identityId: string,
  targetId: string,
  jobSeq: number,
): Promise<MergeOutcome> {
  return db.transaction(async (tx) => {
    await lockIdentities(tx);
    const outcome = await mergeIdentity(tx, { identityId, targetId, reason: "asked", jobSeq });
    if (outcome === "merged") await renameByClaims(tx, [targetId]);
    return outcome;
  });
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

async function undo(db: Database, input: JsonObject): Promise<void> {
  const { identityId, targetId, jobSeq } = input;
  if (typeof identityId !== "string" || typeof targetId !== "string" || typeof jobSeq !== "number")
    throw fault.critical("COMPENSATION_INVALID", "the stored input of undo-merge cannot be read");
  await db.transaction(async (tx) => {
    await lockIdentities(tx);
    await undoMerge(tx, identityId, jobSeq);
    await renameByClaims(tx, [identityId, targetId]);
  });
}

async function cleanUpClaims(db: Database, { signal }: JobContext): Promise<JsonObject> {
  const redirected = await redirectClaims(db);
  let deleted = 0;
  for (;;) {
    signal.throwIfAborted();
    const count = await deleteOrphanedClaims(db, BATCH_ROWS);
    deleted += count;
    if (count < BATCH_ROWS) return { redirected, deleted };
  }
}
