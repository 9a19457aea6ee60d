/**
 * Break-glass: one value holds at once, for three days at most, with an owner and a reason. It is audited and shown as
 * drift everywhere, and asks for the pull request that writes it back, so that Git and the runtime meet again.
 */
import { errorMessage } from "../base/fault.js";
import type { Json } from "../base/json.js";
import { overrideValue, whyNotOverridden } from "../policy/override.js";
import { parsePolicyPath } from "../policy/path.js";
import type { Scalar } from "../policy/tree.js";
import type { ProposeChange } from "../review/change-request.js";
import type { Database } from "../store/database.js";
import {
  endOverride,
  noteWriteBack,
  type PolicyOverride,
  startOverride,
} from "../store/policy-overrides.js";
import type { PolicyInForce } from "./policy-in-force.js";
import { wordOfOverride } from "./policy-word.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface OverridePolicyDeps {
  readonly db: Database;
  readonly notify: RuntimeNotify;
  /** What is in force now, without any override. */
  readonly load: () => Promise<PolicyInForce>;
  /** Null: no repository is configured, and nothing is written back. */
  readonly proposeChange: ProposeChange | null;
}

export interface WantedOverride {
  /** `retention.events_retention_days`. */
  readonly path: string;
  readonly value: Scalar;
  readonly reason: string;
  /** Who sees to it that it ends. */
  readonly owner: string;
  /** Milliseconds, at most OVERRIDE_MAX_MS. */
  readonly forMs: number;
  /** Who asks. */
  readonly by: string;
}

export type OverrideAnswer =
  | {
      readonly outcome: "begun";
      readonly override: PolicyOverride;
      readonly writeBack: WriteBack;
    }
  /** Another one holds there: end it first. */
  | { readonly outcome: "taken" }
  | { readonly outcome: "refused"; readonly sentence: string };

/** The pull request that writes it back; or why there is none. */
export type WriteBack = { readonly url: string } | { readonly none: string };

/** An emergency does not wait for the host of the repository. */
const WRITE_BACK_MAX_MS = 20_000;

export async function beginOverride(
  deps: OverridePolicyDeps,
  wanted: WantedOverride,
): Promise<OverrideAnswer> {
  const checked = await check(deps, wanted);
  if ("sentence" in checked) return { outcome: "refused", sentence: checked.sentence };
  const override = await deps.db.transaction(async (tx) => {
    const begun = await startOverride(tx, { ...wanted, was: checked.was });
    if (begun !== null) await deps.notify(tx, wordOfOverride(begun, "begun"));
    return begun;
  });
  if (override === null) return { outcome: "taken" };
  const writeBack = await writeBackOf(deps, override, wanted, checked.environment);
  return { outcome: "begun", override, writeBack };
}

/** Null when it had ended, or never was. */
export async function endOverrideNow(
  { db, notify }: Pick<OverridePolicyDeps, "db" | "notify">,
  id: number,
  by: string,
): Promise<PolicyOverride | null> {
  return db.transaction(async (tx) => {
    const ended = await endOverride(tx, id, by);
    if (ended !== null) await notify(tx, wordOfOverride(ended, "ended"));
    return ended;
  });
}

type Checked = { readonly was: Json; readonly environment: string } | { readonly sentence: string };

async function check(
  { load }: OverridePolicyDeps,
  { path, value }: WantedOverride,
): Promise<Checked> {
  const { set, sections } = await load();
  const steps = parsePolicyPath(path);
  if (steps === null)
    return { sentence: `"${path}" is no path such as retention.events_retention_days` };
  if (sections === null)
    return {
      sentence: "what is in force was made by a program: there is nothing written to change",
    };
  const { system, environment } = set;
  const done = overrideValue({ sections, system, environment }, { path, value });
  if (!done.ok) return { sentence: done.sentence };
  const sentence = whyNotOverridden(steps, set, done.set);
  if (sentence !== null) return { sentence };
  if (done.was === value) return { sentence: `the policy says ${path}: ${String(value)} already` };
  return { was: done.was, environment };
}

async function writeBackOf(
  { db, proposeChange }: OverridePolicyDeps,
  override: PolicyOverride,
  { path, value, reason, by }: WantedOverride,
  environment: string,
): Promise<WriteBack> {
  const steps = parsePolicyPath(path);
  if (proposeChange === null || steps === null)
    return { none: "GITOPS_REPO is not set: write it into the policies yourself" };
  const request = { changes: [{ path: steps, value }], environment, reason, by };
  try {
    const done = await proposeChange(request, AbortSignal.timeout(WRITE_BACK_MAX_MS));
    if (!("pullRequest" in done)) return { none: `no pull request was opened: ${done.outcome}` };
    await noteWriteBack(db, override.id, done.pullRequest.branch);
    return { url: done.pullRequest.url };
  } catch (error) {
    return { none: `no pull request could be opened: ${errorMessage(error)}` };
  }
}
