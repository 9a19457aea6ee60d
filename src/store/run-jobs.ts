/** Jobs that a run puts in: each once, however often the step that asks for it is run again (RB-38, RB-41, RB-42). */
import { DAY_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import { PUBLIC_KINDS } from "../job/kinds.js";
import type { RuntimeWriter } from "../runbook/port.js";
import { appendAudit } from "./audit.js";
import type { Database } from "./database.js";
import type { CheckPayload } from "./runbook-jobs.js";
import { enqueueOncePer } from "./unique-jobs.js";

/** Longer than any run is taken up again after its executor died. */
const HELD_MS = 7 * DAY_MS;

type JobSubmitter = Pick<RuntimeWriter, "submitJob">;

export interface RunJobOptions {
  readonly actor: string;
  /** `run-17`: keys of one run are not those of another. */
  readonly runId: string;
  readonly check: CheckPayload;
}

export function createJobSubmitter(db: Database, options: RunJobOptions): JobSubmitter {
  const { actor, runId, check } = options;
  return {
    submitJob: async ({ kind, payload, priority, key, reason }) => {
      if (!PUBLIC_KINDS.some((known) => known === kind))
        throw fault.refused("KIND_UNKNOWN", `there is no kind of job "${kind}" here`, {
          hint: `one of ${PUBLIC_KINDS.join(", ")}`,
        });
      const [finding] = check(kind, payload);
      if (finding)
        throw fault.refused(
          "PAYLOAD_INVALID",
          `${kind}: ${finding.pointer || "the payload"} ${finding.message}`,
        );
      return db.transaction(async (tx) => {
        const job = { kind, payload, priority, uniqueKey: `${runId}/${key}`, requestedBy: actor };
        const { seq, id, created } = await enqueueOncePer(tx, job, HELD_MS);
        const details = { job_type: kind, priority: priority ?? null, reason, run: runId };
        if (created) await appendAudit(tx, { actor, action: "job.created", target: id, details });
        return { seq };
      });
    },
  };
}
