/**
 * The real Terraform, one folder and one step at a time. A plan is saved, read as JSON and applied as it was saved. Its
 * text is shown to nobody: it may hold values that no one marked as sensitive.
 */
import { isJsonObject, type Json } from "../base/json.js";
import type { ApplyStep } from "./apply-log.js";
import { applyPlan } from "./terraform-apply.js";
import { callForJson, callTerraform, type TerraformSetup } from "./terraform-call.js";
import {
  askLock,
  forceUnlock,
  pushState,
  readState,
  type StateLock,
  type StateMark,
  spoilPlans,
} from "./terraform-state.js";

/** Another run may hold the lock of the state. */
const LOCK_TIMEOUT = "2m";
/** Of `-detailed-exitcode`. */
const EXIT_CHANGES = 2;

export interface PlanOptions {
  /** File that takes the plan, relative to the folder. */
  readonly out: string;
  readonly destroy?: boolean;
  /** Addresses of Terraform; only these and what they stand on are planned. Default: everything. */
  readonly targets?: readonly string[];
}

export interface ValidationProblem {
  readonly summary: string;
  readonly detail: string;
}

/**
 * Every call throws `TERRAFORM_FAILED` with what Terraform complained of, `TERRAFORM_TIMED_OUT`, `TERRAFORM_KILLED` or
 * `TERRAFORM_MISSING`.
 */
export interface Terraform {
  /** With `pluginDir`, providers come from that folder alone and nothing is downloaded. */
  init(folder: string, options?: { readonly pluginDir?: string }): Promise<void>;
  /** What is wrong; empty when the configuration is valid. */
  validate(folder: string): Promise<readonly ValidationProblem[]>;
  plan(folder: string, options: PlanOptions): Promise<"nothing" | "changes">;
  /** The JSON form of a saved plan: foreign data, with secrets where the configuration has them. */
  showPlan(folder: string, planFile: string): Promise<Json>;
  /** Leaves what it did in a file (`APPLY_LOG`), also when we do not live to see it. `onStep`: each thing as it is begun or done. */
  apply(folder: string, planFile: string, onStep?: (step: ApplyStep) => void): Promise<void>;
  /** Null before the first apply. */
  stateMark(folder: string): Promise<StateMark | null>;
  /** `aws_vpc.main` of all that the state holds. */
  stateAddresses(folder: string): Promise<readonly string[]>;
  /** Who holds the lock of the state; null: nobody. */
  lock(folder: string): Promise<StateLock | null>;
  /** Takes the lock away when it is still this one. */
  unlock(folder: string, id: string): Promise<void>;
  /** A state that could not be stored, to where it belongs. Terraform refuses one that is older than what is there. */
  pushState(folder: string, file: string): Promise<void>;
  /** Counts the state up without a change: Terraform refuses every plan that was made before. */
  spoilPlans(folder: string, options?: { readonly pastLock?: boolean }): Promise<void>;
}

export function createTerraform(setup: TerraformSetup): Terraform {
  return {
    init: async (folder, { pluginDir } = {}) => {
      const mirror = pluginDir === undefined ? [] : [`-plugin-dir=${pluginDir}`];
      await callTerraform(setup, folder, ["init", "-input=false", "-no-color", ...mirror]);
    },
    validate: async (folder) =>
      readProblems(await callForJson(setup, folder, ["validate", "-json"], [1])),
    plan: async (folder, { out, destroy, targets = [] }) => {
      const args = ["plan", "-input=false", "-no-color", `-lock-timeout=${LOCK_TIMEOUT}`];
      const flags = ["-detailed-exitcode", ...(destroy ? ["-destroy"] : []), `-out=${out}`];
      const parts = targets.map((address) => `-target=${address}`);
      const words = [...args, ...flags, ...parts];
      const planned = await callTerraform(setup, folder, words, { alsoGood: [EXIT_CHANGES] });
      return planned.exitCode === EXIT_CHANGES ? "changes" : "nothing";
    },
    showPlan: (folder, planFile) => callForJson(setup, folder, ["show", "-json", planFile]),
    apply: (folder, planFile, onStep) =>
      applyPlan(setup, folder, { planFile, lockTimeout: LOCK_TIMEOUT, onStep }),
    stateMark: async (folder) => (await readState(setup, folder))?.mark ?? null,
    stateAddresses: async (folder) => (await readState(setup, folder))?.addresses ?? [],
    lock: (folder) => askLock(setup, folder),
    unlock: (folder, id) => forceUnlock(setup, folder, id),
    pushState: (folder, file) => pushState(setup, folder, file),
    spoilPlans: (folder, options) => spoilPlans(setup, folder, options),
  };
}

/** Only a clear yes is one: a Terraform that ended before it looked has found nothing, too. */
function readProblems(answer: Json): ValidationProblem[] {
  const { valid, diagnostics } = isJsonObject(answer) ? answer : {};
  if (valid === true) return [];
  const problems = (Array.isArray(diagnostics) ? diagnostics : [])
    .filter(isJsonObject)
    .filter(({ severity }) => severity === "error")
    .map(({ summary, detail }) => ({ summary: String(summary), detail: String(detail ?? "") }));
  if (problems.length > 0) return problems;
  return [{ summary: "terraform validate did not say that it is valid", detail: "" }];
}
