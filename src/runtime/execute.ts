/** What happens when a job runs: a list of steps. The caller frees the slot, then settles the outcome. */
import { assert } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import { type Fault, fault, toFault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { HeldJob } from "../job/job.js";
import type { KindRegistry } from "../job/kinds.js";
import { type Ended, judge, type Outcome } from "../job/outcome.js";
import type { JobContext, JobHandler } from "../job/port.js";
import type { KindRules } from "./kind-rules.js";
import type { StopSwitch } from "./stop-switch.js";

/** What travels through the steps; each adds its part to a copy. */
export interface Execution {
  readonly job: HeldJob;
  readonly rules: KindRules;
  readonly stop: StopSwitch;
  /** Becomes true with the first compensation: then completing it has more to write. */
  readonly declared: { any: boolean };
  /** Set by the step that ended it. */
  readonly ended?: Ended;
}

export interface ExecuteDeps {
  readonly registry: KindRegistry;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Keeps a compensation before the act it undoes (HB-heal-04). */
  readonly declare: (job: HeldJob, name: string, input: JsonObject) => Promise<void>;
}

/** After its signal a handler has this long to end before it counts as stopped. */
const STOP_GRACE_MS = 2_000;
/** Findings quoted in an error; the rest are counted. */
const FINDINGS_MAX = 3;

/** Never throws: whatever a handler does becomes an outcome. */
export async function executeJob(start: Execution, deps: ExecuteDeps): Promise<Outcome> {
  const checked = checkPayload(start, deps);
  const ended = await runWithDeadline(checked, deps);
  return classify(ended);
}

/** An operator's plain SQL passes no door, so what is checked there is checked here. */
function checkPayload(execution: Execution, deps: ExecuteDeps): Execution {
  const findings = deps.registry.checkPayload(execution.job.kind, execution.job.payload);
  if (findings.length === 0) return execution;
  const told = findings
    .slice(0, FINDINGS_MAX)
    .map(({ pointer, message }) => `${pointer || "payload"} ${message}`)
    .join("; ");
  const more = findings.length > FINDINGS_MAX ? `; ${findings.length - FINDINGS_MAX} more` : "";
  return endWith(execution, fault.data("PAYLOAD_INVALID", `${told}${more}`));
}

async function runWithDeadline(execution: Execution, deps: ExecuteDeps): Promise<Execution> {
  if (execution.ended !== undefined) return execution;
  const { stop, rules } = execution;
  const finished = new AbortController();
  const deadline = deps.clock.sleep(rules.timeoutMs, finished.signal).then(() => {
    if (!finished.signal.aborted) stop.stop("timeout");
  });
  try {
    const result = await Promise.race([
      runHandler(execution, deps),
      throwWhenIgnored(stop, deps.clock, finished.signal),
    ]);
    return { ...execution, ended: { how: "returned", result, stop: stop.reason } };
  } catch (error) {
    return endWith(execution, toFault(error));
  } finally {
    finished.abort();
    await deadline;
  }
}

async function runHandler(execution: Execution, deps: ExecuteDeps) {
  const handler = deps.handlers.get(execution.job.kind);
  assert(handler !== undefined, `kind "${execution.job.kind}" is claimed only with a handler`);
  return handler.run(contextOf(execution, handler, deps));
}

export function contextOf(
  execution: Pick<Execution, "job" | "stop" | "declared">,
  handler: JobHandler,
  deps: Pick<ExecuteDeps, "log" | "clock" | "declare">,
): JobContext {
  const { job, stop, declared } = execution;
  return {
    job,
    signal: stop.signal,
    log: deps.log.child({ job_id: job.id, job_type: job.kind, attempt: job.attempt }),
    now: () => deps.clock.now(),
    compensateWith: (name, input) => {
      const known = handler.compensations !== undefined && name in handler.compensations;
      assert(known, `kind "${job.kind}" has no compensation "${name}"`);
      declared.any = true;
      return deps.declare(job, name, input);
    },
  };
}

/** A handler deaf to its signal would hold its slot for ever; its late writes are fenced anyway. */
function throwWhenIgnored(stop: StopSwitch, clock: Clock, finished: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const giveUp = () => {
      void clock.sleep(STOP_GRACE_MS, finished).then(() => {
        reject(fault.transient("HANDLER_IGNORED_STOP", "the handler did not end when told to"));
      });
    };
    if (stop.signal.aborted) giveUp();
    else stop.signal.addEventListener("abort", giveUp, { once: true });
  });
}

function endWith(execution: Execution, cause: Fault): Execution {
  return { ...execution, ended: { how: "threw", fault: cause, stop: execution.stop.reason } };
}

function classify(execution: Execution): Outcome {
  assert(execution.ended !== undefined, "an executed job has ended");
  return judge(execution.ended, execution.rules.timeoutMs);
}
