/** What a look tells the runtime of drift of class `propose`, and when it tells nothing. */
import type { DriftEntry } from "./drift.js";
import { type DriftFacts, stateOfAll } from "./drift-issue.js";
import type { DriftedValue } from "./drift-proposals.js";
import { policyPathsOf } from "./policy-value.js";

export interface DriftToTell {
  readonly values: readonly DriftedValue[];
  /** Addresses: what differs too, so that nothing that was proposed for it is taken for gone. */
  readonly held: readonly string[];
}

/** As many as the runtime takes of each. */
const TOLD_MAX = 50;

/** Only of a look of which `whyNotTold` says nothing. */
export function driftToTell(facts: DriftFacts): DriftToTell {
  const found = facts.stacks.flatMap(({ report }) => (report.state === "failed" ? [] : [report]));
  const unknown = found.flatMap((report) => report.unknown);
  const values = unknown.flatMap(valuesOf).slice(0, TOLD_MAX);
  const told = new Set(values.map(({ address }) => address));
  const all = [...unknown, ...found.flatMap(({ expired, known }) => [...expired, ...known])];
  const held = all.map(({ address }) => address).filter((one) => isHeld(one, told));
  return { values, held: [...new Set(held)].slice(0, TOLD_MAX) };
}

function valuesOf({ address, keeps }: DriftEntry): DriftedValue[] {
  return (keeps ?? []).map(({ attribute, value }) => ({ address, attribute, value }));
}

function isHeld(address: string, told: ReadonlySet<string>): boolean {
  return !told.has(address) && policyPathsOf(address).length > 0;
}

/** What is not found by half a look is not gone, and what nobody was asked about may be somebody's. Null: it may be told. */
export function whyNotTold(facts: DriftFacts, wasAsked: boolean): string | null {
  if (!wasAsked) return "no runtime was asked (--url)";
  if (facts.unasked.length > 0) return "it is not known who stands for what";
  return stateOfAll(facts) === "failed" ? "not every stack could be looked at" : null;
}
