/** What a finished handler means. All branching by how it ended stands here. */
import { unreachable } from "../base/assert.js";
import { type Fault, fault } from "../base/fault.js";
import type { Json } from "../base/json.js";

/** Why the runtime asked a handler to stop; the reason of its abort signal. */
export type StopReason = "timeout" | "lost" | "shutdown";

/** How the handler ended, before anyone judged it. `stop` is what we had asked for by then. */
export type Ended =
  | {
      readonly how: "returned";
      readonly result: Json | undefined;
      readonly stop: StopReason | null;
    }
  | { readonly how: "threw"; readonly fault: Fault; readonly stop: StopReason | null };

export type Outcome =
  | { readonly verdict: "completed"; readonly result: Json }
  /** `resumes`: the handler did not run; a rollback that another worker began for this fault is to be finished. */
  | { readonly verdict: "faulted"; readonly fault: Fault; readonly resumes?: true }
  /** Stopped by our own shutdown: back to pending at once, no attempt burnt. */
  | { readonly verdict: "released" }
  /** The row is no longer ours (cancelled, reset, healed): nothing is written. */
  | { readonly verdict: "lost" };

export function judge(ended: Ended, timeoutMs: number): Outcome {
  if (ended.stop === "lost") return { verdict: "lost" };
  // Work that was done before it noticed the stop is done.
  if (ended.how === "returned") return { verdict: "completed", result: ended.result ?? null };
  switch (ended.stop) {
    case null:
      return { verdict: "faulted", fault: ended.fault };
    case "shutdown":
      return { verdict: "released" };
    case "timeout":
      return {
        verdict: "faulted",
        fault: knowsMore(ended.fault) ? ended.fault : timedOut(timeoutMs, ended.fault),
      };
    default:
      return unreachable(ended.stop);
  }
}

/** A handler that names its state while being stopped (half done, critical) knows more than the clock. */
function knowsMore(thrown: Fault): boolean {
  return thrown.kind === "partial" || thrown.kind === "critical" || thrown.kind === "data";
}

function timedOut(timeoutMs: number, cause: Fault): Fault {
  return fault.transient("JOB_TIMED_OUT", `handler exceeded its ${timeoutMs} ms`, {
    cause,
    hint: "raise timeout of this kind in workers.yaml, or look for a dependency that hangs",
  });
}
