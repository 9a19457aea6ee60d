/** The jobs that other jobs ask for. Their unique keys keep one of a kind and repository in the queue. */
import type { NewJob } from "../store/jobs.js";

/** Who asked, so that the parts of one piece of work can be shown together. */
export interface Origin {
  readonly seq: number;
  readonly id: string;
}

export function identityJob(repoId: string, origin: Origin): NewJob {
  return follow("identity", { repo_id: repoId }, `identity:${repoId}`, origin);
}

export function scoreJob(repoId: string, origin: Origin): NewJob {
  return follow("score", { repo_id: repoId }, `score:${repoId}`, origin);
}

export function syncJob(repoId: string, origin: Origin): NewJob {
  return follow("sync", { repo_id: repoId }, `sync:${repoId}`, origin);
}

/** Of a day that is past: below live work, as nobody waits for it. */
export function pastScoreJob(repoId: string, asOf: string, origin: Origin): NewJob {
  const payload = { repo_id: repoId, as_of: asOf };
  return { ...follow("score", payload, `score:${repoId}:${asOf}`, origin), priority: 1 };
}

function follow(
  kind: string,
  payload: Record<string, string>,
  uniqueKey: string,
  origin: Origin,
): NewJob {
  return { kind, payload, uniqueKey, parentSeq: origin.seq, requestedBy: origin.id };
}
