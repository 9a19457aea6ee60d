/**
 * Which value of the policies a drifted number is: with it what runs can be kept by a pull request of one line. Only sizes
 * that come from one number each, as it is: no number that several resources share (how long logs are kept), none that is
 * computed (thresholds of alarms, whose units differ), none that data or rights depend on.
 */
import type { Leaf, PlannedChange } from "./plan-document.js";
import { numberOf } from "./shown-values.js";

export interface PolicyValue {
  /** As `algobrain policy change` takes it: `scaling.workers.max`. */
  readonly path: string;
  /** Of the resource, as a plan names it: `max_capacity`. */
  readonly attribute: string;
  /** What runs. */
  readonly value: number;
}

interface Sized {
  /** The group is a service. */
  readonly address: RegExp;
  /** By attribute. `*` is the service. */
  readonly paths: Readonly<Record<string, string>>;
}

/** As stacks/scaling.ts and stacks/database.ts make them. */
const SIZED: readonly Sized[] = [
  {
    address: /^aws_appautoscaling_target\.([a-z]{1,40})-scaling-target$/,
    paths: { min_capacity: "scaling.*.min", max_capacity: "scaling.*.max" },
  },
  {
    address: /^aws_rds_cluster\.database$/,
    paths: {
      "serverlessv2_scaling_configuration[0].min_capacity": "infrastructure.aurora.min",
      "serverlessv2_scaling_configuration[0].max_capacity": "infrastructure.aurora.max",
    },
  },
];

/** Null: for one of its attributes it is not known, or it is none that a proposal may be made for. */
export function policyValuesOf(change: PlannedChange): readonly PolicyValue[] | null {
  const isInPlace = change.actions.every((action) => action === "update");
  if (!isInPlace || change.leaves.length === 0) return null;
  const values = change.leaves.map((leaf) => keptValue(change.address, leaf));
  return values.every((one) => one !== null) ? values : null;
}

function keptValue(address: string, { path: attribute, before }: Leaf): PolicyValue | null {
  const path = policyPathOf(address, attribute);
  const value = numberOf(before);
  return path === null || value === null ? null : { path, attribute, value };
}

/** Null: no single value of the policies is known to be this attribute. */
export function policyPathOf(address: string, attribute: string): string | null {
  const found = pathsAt(address);
  return Object.hasOwn(found, attribute) ? (found[attribute] ?? null) : null;
}

/** All that may be proposed for this resource; empty: nothing. */
export function policyPathsOf(address: string): readonly string[] {
  return Object.values(pathsAt(address));
}

function pathsAt(address: string): Readonly<Record<string, string>> {
  for (const { address: form, paths } of SIZED) {
    const found = form.exec(address);
    if (found === null) continue;
    const named = Object.entries(paths).map(([attribute, path]) => [
      attribute,
      path.replace("*", found[1] ?? ""),
    ]);
    return Object.fromEntries(named);
  }
  return {};
}
