/** Undoes what a handler had done, last act first (HB-heal-04). Each compensation is safe to repeat. */
import { errorMessage } from "../base/fault.js";
import { type HealingDecision, storableError } from "../job/heal.js";
import type { JobContext, JobHandler } from "../job/port.js";
import { listCompensations, markCompensated } from "../store/compensations.js";
import type { Sql } from "../store/database.js";
import type { StopSwitch } from "./stop-switch.js";

/** For all compensations of one job together. */
const ROLLBACK_TIMEOUT_MS = 60_000;

/** `stop` is that of the context. Null when everything that was declared is undone; else what could not be, in one sentence. */
export async function rollBack(
  db: Sql,
  handler: JobHandler,
  context: JobContext,
  stop: StopSwitch,
): Promise<string | null> {
  const failures: string[] = [];
  const deadline = AbortSignal.timeout(ROLLBACK_TIMEOUT_MS);
  deadline.addEventListener("abort", () => stop.stop("timeout"), { once: true });
  for (const { ordinal, name, input } of await listCompensations(db, context.job.seq)) {
    try {
      const compensate = handler.compensations?.[name];
      if (compensate === undefined) throw new Error("the handler no longer knows it");
      await beforeDeadline(compensate(input, context), deadline);
      await markCompensated(db, { jobSeq: context.job.seq, ordinal });
    } catch (error) {
      // The others may still be undone, and a person looks at the rest.
      failures.push(`${name}: ${errorMessage(error)}`);
    }
  }
  return failures.length === 0 ? null : `not undone: ${failures.join("; ")}`;
}

async function beforeDeadline(work: Promise<void>, deadline: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new Error(`no end within ${ROLLBACK_TIMEOUT_MS} ms`));
    deadline.addEventListener("abort", fail, { signal: ended.signal });
    if (deadline.aborted) fail();
  });
  try {
    await Promise.race([work, late]);
  } finally {
    ended.abort();
  }
}

/** The decision with what is known after the rollback: its outcome, and who must look. */
export function afterRollback(decision: HealingDecision, failure: string | null): HealingDecision {
  if (decision.action === null) return decision;
  const success = failure === null;
  return {
    ...decision,
    settle: success
      ? decision.settle
      : { ...decision.settle, error: storableError(`${decision.settle.error} (${failure})`) },
    action: { ...decision.action, success, operatorNotified: !success },
    notify: success ? null : "operator",
  };
}
