/** Takes one merge of identities back, whatever was merged or taken back since (HB-wrk-10). */
import { listOtherClaims } from "../store/claims.js";
import type { Sql } from "../store/database.js";
import { renameByClaims } from "../store/identities.js";
import { findStandingMerge, splitOff } from "../store/identity-merges.js";
import { personKey } from "./person.js";

/**
 * Null: it was taken back before, or its identity is no more. `undoneBy`: the job by which a person said "not one";
 * null for a compensation, which says nothing about the two. The caller holds `lockIdentities`.
 */
export async function undoMerge(
  tx: Sql,
  mergeId: number,
  undoneBy: number | null,
): Promise<{ claimsBack: number } | null> {
  const merge = await findStandingMerge(tx, mergeId);
  if (merge === null) return null;
  // Claims that were found after the merge went straight to whoever stood there: their signatures say whose they are.
  const members = new Set(merge.members);
  const later = (await listOtherClaims(tx, merge.rootId, merge.claimIds)).filter(
    ({ name, email }) => members.has(personKey(name, email).id),
  );
  const claimIds = [...merge.claimIds, ...later.map(({ id }) => id)];
  const claimsBack = await splitOff(tx, merge, claimIds, undoneBy);
  await renameByClaims(tx, [merge.identityId, merge.rootId]);
  return { claimsBack };
}
