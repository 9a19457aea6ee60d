/** One job of this process, from the start of its handler to its settled end. */
import type { HeldJob } from "../job/job.js";
import type { Execution } from "./execute.js";
import type { KindRules } from "./kind-rules.js";
import { StopSwitch } from "./stop-switch.js";

export class RunningJob implements Execution {
  readonly job: HeldJob;
  readonly rules: KindRules;
  readonly stop = new StopSwitch();
  readonly declared = { any: false };
  undoing: StopSwitch | null = null;
  /** Of the monotonic clock. */
  readonly startedMs = performance.now();
  /** False while its outcome is being written. */
  executing = true;

  constructor(job: HeldJob, rules: KindRules) {
    this.job = job;
    this.rules = rules;
  }
}
