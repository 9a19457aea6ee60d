/** What the runtime itself has to tell people: through the outbox, in the transaction that caused it. */
import { WHOLE } from "../alert/instance.js";
import type { JsonObject } from "../base/json.js";
import type { HealingDecision } from "../job/heal.js";
import type { HeldJob } from "../job/job.js";
import type { Message } from "../message/message.js";
import type { Severity } from "../policy/policy.js";
import type { Sql } from "../store/database.js";

export interface RuntimeWord {
  /** `policy.routes.runtimeReceivers`: whoever is on call, or the operators' channel. */
  readonly audience: "critical" | "operator";
  readonly severity: Severity;
  /** Default `trigger`; `resolve` takes the same key back. */
  readonly action?: "trigger" | "resolve";
  /** The same trouble has the same key: it is told once. The system stands before it abroad. */
  readonly key: string;
  /** Where in the system it happened, e.g. `job-123`. */
  readonly place: string;
  readonly message: Message;
  readonly details: JsonObject;
}

/** Writes the notices of a word; sending them is the job of the internal lane. */
export type RuntimeNotify = (sql: Sql, word: RuntimeWord) => Promise<void>;

/**
 * One trouble, however many jobs enter it; leaving it takes the same key back. It is that of the rule AR-31, so
 * that both fold into one incident.
 */
export const SAFE_MODE_KEY = `safe-mode-active/${WHOLE}`;

/** A quarantined job waits for a person; a critical failure wakes one (HB-heal-03, HB-heal-05). */
export function wordOfDecision(job: HeldJob, decision: HealingDecision): RuntimeWord {
  const critical = decision.notify === "critical";
  return {
    audience: critical ? "critical" : "operator",
    severity: critical ? "sev1" : "sev3",
    key: critical ? SAFE_MODE_KEY : `${job.id}/${decision.settle.move}`,
    place: job.id,
    message: critical ? criticalMessage(job, decision) : asideMessage(job, decision),
    details: {
      job_id: job.id,
      job_type: job.kind,
      attempt: job.attempt,
      reason: decision.reason,
      error: decision.settle.error,
    },
  };
}

function criticalMessage(job: HeldJob, decision: HealingDecision): Message {
  return {
    tone: "bad",
    title: `Critical failure in ${job.id} (${job.kind}): safe mode is on`,
    text: "Only repair, audit, alert and internal work runs until a person leaves safe mode.",
    fields: fieldsOf(job, decision),
  };
}

function asideMessage(job: HeldJob, decision: HealingDecision): Message {
  const failed = decision.settle.move !== "quarantine";
  return {
    tone: "warning",
    title: failed
      ? `${job.id} (${job.kind}) failed and could not be undone`
      : `${job.id} (${job.kind}) is quarantined`,
    text: failed
      ? "Some of its compensations failed: look at what it left behind."
      : "It waits for a person: correct its payload and rerun it, or cancel it.",
    fields: fieldsOf(job, decision),
  };
}

function fieldsOf(job: HeldJob, decision: HealingDecision) {
  return [
    { label: "Job", value: job.id },
    { label: "Attempt", value: String(job.attempt) },
    { label: "Why", value: decision.reason },
    { label: "Error", value: decision.settle.error },
  ];
}
