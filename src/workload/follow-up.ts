/** The jobs that other jobs ask for. Their unique keys keep one of a kind and repository in the queue. */
import { MINUTE_MS } from "../base/duration.js";
import type { KeyedJob } from "../store/unique-jobs.js";

/** Who asked, so that the parts of one piece of work can be shown together. */
export interface Origin {
  readonly seq: number;
  readonly id: string;
}

export function identityJob(repoId: string, origin: Origin): KeyedJob {
  return follow("identity", { repo_id: repoId }, `identity:${repoId}`, origin);
}

export function scoreJob(repoId: string, origin: Origin): KeyedJob {
  return follow("score", { repo_id: repoId }, `score:${repoId}`, origin);
}

export function syncJob(repoId: string, origin: Origin): KeyedJob {
  return follow("sync", { repo_id: repoId }, `sync:${repoId}`, origin);
}

/** Of everything that GitHub has of an organisation or user; GitHub's names know no upper case. */
export function ownerSyncJob(owner: string, origin: Origin): KeyedJob {
  return follow("sync", { org_name: owner }, `sync:owner:${owner.toLowerCase()}`, origin);
}

/** Reviews and pushes come in bursts: one score for all that happens within this time. */
const SETTLE_MS = 5 * MINUTE_MS;

/** Of a repository in which something has just happened. */
export function soonScoreJob(repoId: string, happenedAt: Date, origin: Origin): KeyedJob {
  const scheduledAt = new Date(happenedAt.getTime() + SETTLE_MS);
  return { ...scoreJob(repoId, origin), scheduledAt };
}

/** Of work for days that are past: below all live work. */
export const PAST_PRIORITY = 1;

/** Of a day that is past: below live work, as nobody waits for it. */
export function pastScoreJob(repoId: string, asOf: string, origin: Origin): KeyedJob {
  const payload = { repo_id: repoId, as_of: asOf };
  return {
    ...follow("score", payload, `score:${repoId}:${asOf}`, origin),
    priority: PAST_PRIORITY,
  };
}

function follow(
  kind: string,
  payload: Record<string, string>,
  uniqueKey: string,
  origin: Origin,
): KeyedJob {
  return { kind, payload, uniqueKey, parentSeq: origin.seq, requestedBy: origin.id };
}
