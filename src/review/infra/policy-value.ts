/** Which value of the policies a drifted number is: with it a person can keep what runs, by a pull request of one line. */
import { whyForPeople } from "./healable.js";
import type { Leaf, PlannedChange } from "./plan-document.js";
import { numberOf } from "./shown-values.js";

export interface PolicyValue {
  /** As `algobrain policy change` takes it: `scaling.workers.max`. */
  readonly path: string;
  /** What runs. */
  readonly value: number;
}

const SCALING = /^aws_appautoscaling_target\.([a-z]{1,40})-scaling-target$/;
const OF_SCALING: Readonly<Record<string, string>> = { min_capacity: "min", max_capacity: "max" };

/** Null: for one of its attributes it is not known, or it is none that a proposal may be made for. */
export function policyValuesOf(change: PlannedChange): readonly PolicyValue[] | null {
  const isInPlace = change.actions.every((action) => action === "update");
  if (!isInPlace || change.leaves.length === 0 || whyForPeople(change) !== null) return null;
  const values = change.leaves.map((leaf) => keptValue(change.address, leaf));
  return values.every((one) => one !== null) ? values : null;
}

function keptValue(address: string, { path, before }: Leaf): PolicyValue | null {
  const service = SCALING.exec(address)?.[1];
  const key = Object.hasOwn(OF_SCALING, path) ? OF_SCALING[path] : undefined;
  const value = numberOf(before);
  if (service === undefined || key === undefined || value === null) return null;
  return { path: `scaling.${service}.${key}`, value };
}
