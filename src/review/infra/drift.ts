/**
 * What has been changed outside of Terraform, from a plan that changes nothing in the configuration: known drift with its
 * owner and its end, and drift that nobody stands for. A check that has failed is its own state, never clean.
 */
import type { DriftClass, DriftMode } from "../../policy/plan-review.js";
import { knownFromDeployments } from "./deployed-revision.js";
import { whyNotHealed } from "./healable.js";
import { covers, type KnownDrift } from "./known-drift.js";
import { isQuiet, type Leaf, type PlanDocument, type PlannedChange } from "./plan-document.js";
import { type PolicyValue, policyValuesOf } from "./policy-value.js";

export interface DriftEntry {
  readonly address: string;
  readonly leaves: readonly Leaf[];
  /** `lost`: it is gone; `extra`: nothing describes it any more; `unapplied`: the configuration is ahead of the estate. */
  readonly kind: "changed" | "lost" | "extra" | "unapplied";
  readonly mode: DriftMode;
  readonly why: string;
  /** What stands for it; empty: nobody. */
  readonly known: readonly KnownDrift[];
  /** Why it is not put back although its class says so (review/infra/heal); null: it is, or its class does not. */
  readonly unhealed: string | null;
  /** With class `propose`: what the policies would say to keep what runs. Null: another class, or it is not known. */
  readonly keeps: readonly PolicyValue[] | null;
}

export interface FoundDrift {
  readonly state: "clean" | "drifted" | "only-known";
  /** Nobody stands for them. */
  readonly unknown: readonly DriftEntry[];
  readonly known: readonly DriftEntry[];
  /** Somebody did, and the time is over. */
  readonly expired: readonly DriftEntry[];
  /** Changed outside, and Terraform would leave it so: it is not described. */
  readonly ignored: readonly string[];
}

export type DriftReport =
  | FoundDrift
  /** `why` in words that may be shown. */
  | { readonly state: "failed"; readonly why: string };

/** @param known of all sources; what a deployment leaves is found here. @param classes of the policy, the first that fits */
export function judgeDrift(
  plan: PlanDocument,
  classes: readonly DriftClass[],
  known: readonly KnownDrift[],
  now: Date,
): DriftReport {
  if (plan.errored) return { state: "failed", why: "planning has failed on the way" };
  if (!plan.complete)
    return { state: "failed", why: "the plan does not cover all that is configured" };
  const changes = plan.changes.filter((change) => !isQuiet(change) || change.importing);
  const all = [...known, ...knownFromDeployments(plan)];
  const entries = changes.map((change) => entryOf(change, plan.drift, classes, all));
  const isOver = ({ expires }: KnownDrift) =>
    expires !== null && expires.getTime() <= now.getTime();
  const unknown = entries.filter((entry) => entry.known.length === 0);
  const expired = entries.filter((entry) => entry.known.some(isOver));
  const held = entries.filter((entry) => entry.known.length > 0 && !entry.known.some(isOver));
  const isLoud = unknown.length > 0 || expired.length > 0 || plan.outputsChanged.length > 0;
  const state = isLoud ? "drifted" : held.length > 0 ? "only-known" : "clean";
  const proposed = new Set(changes.map(({ address }) => address));
  const ignored = plan.drift.map(({ address }) => address).filter((one) => !proposed.has(one));
  return { state, unknown, expired, known: held, ignored };
}

function entryOf(
  change: PlannedChange,
  drift: readonly PlannedChange[],
  classes: readonly DriftClass[],
  known: readonly KnownDrift[],
): DriftEntry {
  const found = classes.find((one) => fits(one, change));
  const isHealed = found?.mode === "heal";
  const outside = drift.find(({ address }) => address === change.address) ?? null;
  return {
    ...{ address: change.address, leaves: change.leaves, kind: kindOf(change, drift) },
    mode: found?.mode ?? "report",
    why: found?.why ?? "no class of the policy names it",
    known: standsFor(change, known),
    keeps: found?.mode === "propose" ? keptOf(change, outside) : null,
    unhealed: isHealed ? whyNotHealed(change, outside) : null,
  };
}

/** Where the policies are ahead, what runs is what an apply has still to change: nothing that anybody wants to keep. */
function keptOf(change: PlannedChange, outside: PlannedChange | null): DriftEntry["keeps"] {
  const isOutside = change.leaves.every(({ path }) =>
    outside?.leaves.some((leaf) => leaf.path === path),
  );
  return isOutside ? policyValuesOf(change) : null;
}

function kindOf(
  { address, actions }: PlannedChange,
  drift: readonly PlannedChange[],
): DriftEntry["kind"] {
  const outside = drift.find((one) => one.address === address);
  if (outside?.actions.includes("delete")) return "lost";
  if (outside) return "changed";
  if (actions.includes("delete") && !actions.includes("create")) return "extra";
  return "unapplied";
}

function fits({ types, attributes }: DriftClass, { type, leaves }: PlannedChange): boolean {
  if (!types.includes(type)) return false;
  if (attributes === undefined) return true;
  // Of a class for some attributes is only what differs in nothing else.
  return (
    leaves.length > 0 && leaves.every(({ path }) => attributes.some((name) => isBelow(path, name)))
  );
}

function isBelow(path: string, name: string): boolean {
  return path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`);
}

/** Only when each attribute that differs is known: one that is not makes all of it news. */
function standsFor(
  { address, leaves, actions }: PlannedChange,
  known: readonly KnownDrift[],
): KnownDrift[] {
  // A task is never changed in place: a deployment stands for all of it, or for nothing.
  const whole = known.filter(
    (one) => one.kind === "deployment" && one.attribute === "" && one.address === address,
  );
  if (whole.length > 0) return whole;
  const isInPlace = actions.every((action) => action === "update");
  if (!isInPlace || leaves.length === 0) return [];
  const found = known.filter((one) => leaves.some(({ path }) => covers(one, address, path)));
  const isWhole = leaves.every(({ path }) => found.some((one) => covers(one, address, path)));
  return isWhole ? found : [];
}

/** Clean only when every stack is; failed when one is, whatever the others say. */
export function worstDrift(reports: readonly DriftReport[]): DriftReport["state"] {
  const states = reports.map(({ state }) => state);
  if (states.length === 0 || states.includes("failed")) return "failed";
  if (states.includes("drifted")) return "drifted";
  return states.includes("only-known") ? "only-known" : "clean";
}
