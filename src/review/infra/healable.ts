/**
 * Whether one drifted resource may be put back without a pull request: only in place, only to what Terraform itself had
 * applied before, and only where nothing is lost or opened by it.
 */
import { type ChangeClass, classify } from "./classify.js";
import type { Leaf, PlannedChange } from "./plan-document.js";
import { stateOf } from "./stateful-types.js";

/** What a person looks at first, whatever the class of the policy says. */
const NOT_BY_ITSELF: Partial<Record<ChangeClass, string>> = {
  "retention-shorter": "it would delete what is kept longer now",
  power: "who may do or reach what is for people",
  network: "how it is reached is for people",
  deployment: "which revision runs is for deployments",
};

/** @param outside what was found changed outside of Terraform; null: nothing. Null: it may be put back */
export function whyNotHealed(change: PlannedChange, outside: PlannedChange | null): string | null {
  const { actions, importing, leaves } = change;
  if (importing || !actions.every((action) => action === "update"))
    return "it would be made, made anew or deleted, and only values are put back";
  const forPeople = whyForPeople(change);
  if (forPeople !== null) return forPeople;
  if (outside === null) return "nobody has changed it: the policies are ahead, and apply brings it";
  if (leaves.length === 0) return "what differs is not known";
  const foreign = leaves.find((leaf) => !isWayBack(leaf, outside.leaves));
  if (foreign === undefined) return null;
  return `${foreign.path} would not become what was applied before, or its value is not shown`;
}

/** Null: neither data nor rights depend on it. */
export function whyForPeople(change: PlannedChange): string | null {
  const state = stateOf(change.type);
  if (state !== null) return `it holds ${state}`;
  return NOT_BY_ITSELF[classify(change).class] ?? null;
}

/** Values that may not be shown have only a length here, and two of one length are not the same. */
function isWayBack(leaf: Leaf, outside: readonly Leaf[]): boolean {
  const gone = outside.find(({ path }) => path === leaf.path);
  return gone !== undefined && isSame(gone.before, leaf.after) && isSame(gone.after, leaf.before);
}

function isSame(a: Leaf["before"], b: Leaf["before"]): boolean {
  if (a.kind === "value") return b.kind === "value" && a.text === b.text;
  return a.kind === "absent" && b.kind === "absent";
}
