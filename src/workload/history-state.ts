/**
 * Whether a history has to be read at all, and from where. Pure. Reading what is new and adding it to what is known
 * gives the same people as reading everything, as long as the commit that was read last is still a part of the history,
 * the same mailmap and the same rules held for it, and nobody has changed the claims since.
 */
import type { WorkloadPolicy } from "../policy/workload.js";
import type { PastRead } from "../store/repo-history.js";

/** Raised with each change in how signatures become people: a history read by other rules is read whole once. */
const RULES = "people-3";

/** Policy is part of the rules: by another score, other persons are one. */
export function rulesOf({ mergeAt, hintAt }: WorkloadPolicy["people"]): string {
  return `${RULES} merge-at=${mergeAt} hint-at=${hintAt}`;
}

export function isUnchanged(
  past: PastRead | null,
  now: { readonly head: string; readonly rules: string },
): past is PastRead {
  return isTrusted(past, now.rules) && past.head === now.head;
}

/** Whether reading on from `past.head` may give the whole; that it lies before the new head, only git can say. */
export function mayReadOn(
  past: PastRead | null,
  now: { readonly mailmap: string | null; readonly rules: string },
): past is PastRead {
  return isTrusted(past, now.rules) && past.mailmap === now.mailmap;
}

function isTrusted(past: PastRead | null, rules: string): past is PastRead {
  return past !== null && past.rules === rules && past.claimsSum === past.claimsSumNow;
}
