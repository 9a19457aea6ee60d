/**
 * repair (HB-wrk-10): what is wrong in the data is put right, by a person's order. Each repair can be previewed
 * (`dry_run`) with the numbers that the real one then has, and those that change rows can be taken back.
 */
import { unreachable } from "../../base/assert.js";
import type { JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { forgetPerson } from "../forget-person.js";
import type { RepairPayload } from "../payloads.js";
import { cleanUpClaims, restoreCleanedClaims } from "./cleanup-claims.js";
import { compensateMerge, mergeIdentities, UNDO_MERGE } from "./merge-identities.js";
import { rebuildIndexes } from "./rebuild-indexes.js";
import { undoMerges } from "./undo-merges.js";

export function createRepairHandler({ db }: { readonly db: Database }): JobHandler {
  return {
    kind: "repair",
    run: async (context) => {
      const payload = context.job.payload as unknown as RepairPayload;
      switch (payload.repair_type) {
        case "merge_identities":
          return mergeIdentities(db, payload, context);
        case "undo_merge":
          return undoMerges(db, payload, context);
        case "cleanup_orphaned_claims":
          return cleanUpClaims(db, payload.dry_run ?? false, context);
        case "restore_claims":
          return restoreCleanedClaims(db, payload, context);
        case "rebuild_indexes":
          return rebuildIndexes(db, payload, context);
        case "forget_person":
          return forgetPerson({ db }, payload, context);
        default:
          return unreachable(payload);
      }
    },
    compensations: {
      [UNDO_MERGE]: (input) => compensateMerge(db, input),
    },
  };
}
