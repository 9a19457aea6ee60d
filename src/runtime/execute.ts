/** What happens when a job runs: its payload is checked, its handler runs, and how it ended becomes an outcome. */
import { assert } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import { type Fault, fault, toFault } from "../base/fault.js";
import type { Json, JsonObject } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import type { KindRegistry } from "../job/kinds.js";
import { type Ended, judge, type Outcome } from "../job/outcome.js";
import type { JobContext, JobHandler } from "../job/port.js";
import type { AttemptLog } from "./attempt-log.js";
import type { KindRules } from "./kind-rules.js";
import type { StopSwitch } from "./stop-switch.js";

export interface Execution {
  readonly job: HeldJob;
  readonly rules: KindRules;
  readonly stop: StopSwitch;
  /** Becomes true with the first compensation: then completing it has more to write. */
  readonly declared: { any: boolean };
}

export interface ExecuteDeps {
  readonly registry: KindRegistry;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly clock: Clock;
  readonly attempts: AttemptLog;
  /** Keeps a compensation before the act it undoes (HB-heal-04). */
  readonly declare: (job: HeldJob, name: string, input: JsonObject) => Promise<void>;
}

/** After its signal a handler has this long to end before it counts as deaf. */
const STOP_GRACE_MS = 2_000;
/** Findings quoted in an error; the rest are counted. */
const FINDINGS_MAX = 3;

/** Never throws: whatever a handler does becomes an outcome. */
export async function executeJob(execution: Execution, deps: ExecuteDeps): Promise<Outcome> {
  const { stop, rules } = execution;
  return judge(await endOf(execution, stop, deps), rules.timeoutMs);
}

async function endOf(execution: Execution, stop: StopSwitch, deps: ExecuteDeps): Promise<Ended> {
  const invalid = payloadFault(execution.job, deps.registry);
  if (invalid !== null) return { how: "threw", fault: invalid, stop: stop.reason };
  try {
    const result = await runHandler(execution, deps);
    return { how: "returned", result, stop: stop.reason };
  } catch (error) {
    return { how: "threw", fault: toFault(error), stop: stop.reason };
  }
}

/** An operator's plain SQL passes no door, so what is checked there is checked here. */
function payloadFault(job: HeldJob, registry: KindRegistry): Fault | null {
  const findings = registry.checkPayload(job.kind, job.payload);
  if (findings.length === 0) return null;
  const told = findings
    .slice(0, FINDINGS_MAX)
    .map(({ pointer, message }) => `${pointer || "payload"} ${message}`)
    .join("; ");
  const more = findings.length > FINDINGS_MAX ? `; ${findings.length - FINDINGS_MAX} more` : "";
  return fault.data("PAYLOAD_INVALID", `${told}${more}`);
}

/** A handler deaf to its signal would hold its slot for ever; its late writes are fenced anyway. */
function runHandler(execution: Execution, deps: ExecuteDeps): Promise<Json | undefined> {
  const handler = deps.handlers.get(execution.job.kind);
  assert(handler !== undefined, `kind "${execution.job.kind}" is claimed only with a handler`);
  return new Promise((resolve, reject) => {
    let finished: AbortController | null = null;
    execution.stop.onStop(() => {
      finished = new AbortController();
      void giveUp(execution.stop, finished.signal, deps.clock).then(reject);
    });
    const ending = <T>(settle: (value: T) => void) => {
      return (value: T) => {
        finished?.abort();
        settle(value);
      };
    };
    handler.run(contextOf(execution, handler, deps)).then(ending(resolve), ending(reject));
  });
}

async function giveUp(stop: StopSwitch, finished: AbortSignal, clock: Clock): Promise<Fault> {
  await clock.sleep(STOP_GRACE_MS, finished);
  stop.ignored = !finished.aborted;
  return fault.transient("HANDLER_IGNORED_STOP", "the handler did not end when told to");
}

export function contextOf(
  execution: Pick<Execution, "job" | "stop" | "declared">,
  handler: JobHandler,
  deps: Pick<ExecuteDeps, "clock" | "attempts" | "declare">,
): JobContext {
  const { job, stop, declared } = execution;
  const told = deps.attempts.contextFor(job);
  return {
    job,
    // Made when asked for: most handlers of many small jobs never look.
    get signal() {
      return stop.signal;
    },
    get log() {
      return told.log;
    },
    progress: told.progress,
    now: () => deps.clock.now(),
    compensateWith: (name, input) => {
      const known = handler.compensations !== undefined && name in handler.compensations;
      assert(known, `kind "${job.kind}" has no compensation "${name}"`);
      declared.any = true;
      return deps.declare(job, name, input);
    },
  };
}
