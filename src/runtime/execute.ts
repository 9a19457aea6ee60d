/** What happens when a job runs: its payload is checked, its handler runs, and how it ended becomes an outcome. */
import { assert } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import { type Fault, fault, toFault } from "../base/fault.js";
import type { Json, JsonObject } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import type { KindRegistry } from "../job/kinds.js";
import { judge, type Outcome } from "../job/outcome.js";
import type { JobContext, JobHandler } from "../job/port.js";
import type { AttemptLog } from "./attempt-log.js";
import { type InsistDeps, insist } from "./insist.js";
import type { KindRules } from "./kind-rules.js";
import type { StopSwitch } from "./stop-switch.js";

export interface Execution {
  readonly job: HeldJob;
  readonly rules: KindRules;
  readonly stop: StopSwitch;
  /** Becomes true with the first compensation: then completing it has more to write. */
  readonly declared: { any: boolean };
  /** Of its compensations, from when the first may run. */
  undoing: StopSwitch | null;
}

export interface ExecuteDeps extends InsistDeps {
  readonly registry: KindRegistry;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly attempts: AttemptLog;
  /** Keeps a compensation before the act it undoes (HB-heal-04). */
  readonly declare: (job: HeldJob, name: string, input: JsonObject) => Promise<void>;
  /** For what a rollback of this job was begun and not ended; null: there is none. */
  readonly rollbackOf: (job: HeldJob) => Promise<Fault | null>;
}

/** After its signal a handler has this long to end before it counts as deaf. */
const STOP_GRACE_MS = 2_000;
/** Findings quoted in an error; the rest are counted. */
const FINDINGS_MAX = 3;

/** Never throws: whatever a handler does becomes an outcome. */
export async function executeJob(execution: Execution, deps: ExecuteDeps): Promise<Outcome> {
  const { stop, rules } = execution;
  try {
    // Of a row that was moved by nothing but its first claim no rollback has begun.
    if (execution.job.fence > 1 && mayRollBack(execution, deps)) {
      // As long as nobody can tell, the handler does not run.
      const find = () => deps.rollbackOf(execution.job);
      const cause = await insist(find, deps, () => stop.reason !== null);
      if (cause !== null) return { verdict: "faulted", fault: cause, resumes: true };
    }
    checkPayload(execution.job, deps.registry);
    const result = await runHandler(execution, deps);
    return judge({ how: "returned", result, stop: stop.reason }, rules.timeoutMs);
  } catch (error) {
    return judge({ how: "threw", fault: toFault(error), stop: stop.reason }, rules.timeoutMs);
  }
}

/** The version whose worker died may have known compensations that this one does not. */
export function mayRollBack({ job }: Execution, { handlers }: ExecuteDeps): boolean {
  return job.crashCount > 0 || handlers.get(job.kind)?.compensations !== undefined;
}

/** An operator's plain SQL passes no door, so what is checked there is checked here. */
function checkPayload(job: HeldJob, registry: KindRegistry): void {
  const findings = registry.checkPayload(job.kind, job.payload);
  if (findings.length === 0) return;
  const told = findings
    .slice(0, FINDINGS_MAX)
    .map(({ pointer, message }) => `${pointer || "payload"} ${message}`)
    .join("; ");
  const more = findings.length > FINDINGS_MAX ? `; ${findings.length - FINDINGS_MAX} more` : "";
  throw fault.data("PAYLOAD_INVALID", `${told}${more}`);
}

/** A handler deaf to its signal would hold its slot for ever; its late writes are fenced anyway. */
function runHandler(execution: Execution, deps: ExecuteDeps): Promise<Json | undefined> {
  const handler = deps.handlers.get(execution.job.kind);
  assert(handler !== undefined, `kind "${execution.job.kind}" is claimed only with a handler`);
  const { stop } = execution;
  return new Promise((resolve, reject) => {
    const running = handler.run(new LiveContext(execution, handler, deps));
    running.then(resolve, reject);
    stop.onStop(() => void giveUp(stop, running, deps.clock).then(reject));
  });
}

/** Resolves when the handler should be taken for deaf; after its end that changes nothing. */
async function giveUp(stop: StopSwitch, running: Promise<unknown>, clock: Clock): Promise<Fault> {
  const ended = new AbortController();
  const end = () => ended.abort();
  running.then(end, end);
  await clock.sleep(STOP_GRACE_MS, ended.signal);
  stop.ignored = !ended.signal.aborted;
  return fault.transient("HANDLER_IGNORED_STOP", "the handler did not end when told to");
}

type ContextDeps = Pick<ExecuteDeps, "clock" | "attempts" | "declare">;

/** What a handler gets. Its parts are made when they are asked for: most handlers of many small jobs never look. */
export class LiveContext implements JobContext {
  readonly #execution: Pick<Execution, "job" | "stop" | "declared">;
  readonly #handler: JobHandler;
  readonly #deps: ContextDeps;
  #told: ReturnType<AttemptLog["contextFor"]> | null = null;

  constructor(
    execution: Pick<Execution, "job" | "stop" | "declared">,
    handler: JobHandler,
    deps: ContextDeps,
  ) {
    this.#execution = execution;
    this.#handler = handler;
    this.#deps = deps;
  }

  get job(): HeldJob {
    return this.#execution.job;
  }

  get signal(): AbortSignal {
    return this.#execution.stop.signal;
  }

  get log(): JobContext["log"] {
    return this.#tells().log;
  }

  get progress(): JobContext["progress"] {
    return this.#tells().progress;
  }

  get now(): JobContext["now"] {
    return () => this.#deps.clock.now();
  }

  get compensateWith(): JobContext["compensateWith"] {
    const { job, declared } = this.#execution;
    return (name, input) => {
      const { compensations } = this.#handler;
      const known = compensations !== undefined && name in compensations;
      assert(known, `kind "${job.kind}" has no compensation "${name}"`);
      declared.any = true;
      return this.#deps.declare(job, name, input);
    };
  }

  #tells(): ReturnType<AttemptLog["contextFor"]> {
    this.#told ??= this.#deps.attempts.contextFor(this.#execution.job);
    return this.#told;
  }
}
