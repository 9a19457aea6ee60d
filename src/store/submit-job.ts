/** The use case behind every door that takes a job from a person: the job and its audit entry, or neither. */
import { appendAudit } from "./audit.js";
import type { Database } from "./database.js";
import { type Enqueued, enqueueJob, type NewJob } from "./jobs.js";

export interface JobSubmission extends Omit<NewJob, "parentSeq" | "requestedBy"> {
  /** `cli:ana`, `api:ana@example.com`. */
  readonly actor: string;
}

/** The kind and payload must have been checked against the registry. */
export async function submitJob(db: Database, submission: JobSubmission): Promise<Enqueued> {
  const { kind, actor } = submission;
  return db.transaction(async (tx) => {
    const enqueued = await enqueueJob(tx, { ...submission, requestedBy: actor });
    if (enqueued.created) {
      const details = { job_type: kind, priority: submission.priority ?? null };
      await appendAudit(tx, { actor, action: "job.created", target: enqueued.id, details });
    }
    return enqueued;
  });
}
