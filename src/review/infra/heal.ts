/**
 * What one look at drift puts back by itself: of each stack the addresses, at most so many as the policy says, and nothing
 * where the look is not whole or the budgets would stop what the stack has come to differ by.
 */
import type { PlanReview } from "../../policy/plan-review.js";
import type { DriftEntry, FoundDrift } from "./drift.js";
import { type DriftFacts, type StackDrift, stateOfAll } from "./drift-issue.js";
import { judgePlan } from "./judge-plan.js";
import { existingOf, type PlanDocument } from "./plan-document.js";

/** What of one stack is put back. */
export interface HealWish {
  readonly stack: string;
  /** Terraform's, never empty. */
  readonly addresses: readonly string[];
}

export interface HealFacts extends DriftFacts {
  /** By stack: the plan that its drift was read from. Without one nothing of a stack is put back. */
  readonly plans: ReadonlyMap<string, PlanDocument>;
  /** Whether a runtime was asked who stands for what: without that nobody knows what is known. */
  readonly wasAsked: boolean;
}

export interface ChosenHeals {
  readonly heals: readonly HealWish[];
  /** The same facts; what stays says why. */
  readonly stacks: readonly StackDrift[];
}

/** Worked through in the order of the stacks, and within one in that of the plan. */
export function chooseHeals(facts: HealFacts, review: PlanReview, now: Date): ChosenHeals {
  const against = whyNone(facts);
  let left = review.drift.heals;
  const chosen = facts.stacks.map(({ stack, report }) => {
    if (report.state === "failed") return { stack, report, addresses: [] };
    const why = against ?? whyNotThis(facts, { stack, report }, review, now);
    const unknown = report.unknown.map((entry) => {
      if (!isDue(entry)) return entry;
      if (why !== null) return { ...entry, unhealed: why };
      left -= 1;
      return left >= 0 ? entry : { ...entry, unhealed: "this look has put back as many as it may" };
    });
    const addresses = unknown.filter(isDue).map(({ address }) => address);
    return { stack, report: { ...report, unknown }, addresses };
  });
  return {
    heals: chosen.filter(({ addresses }) => addresses.length > 0).map(wishOf),
    stacks: chosen.map(({ stack, report }) => ({ stack, report })),
  };
}

function wishOf({ stack, addresses }: HealWish): HealWish {
  return { stack, addresses };
}

function isDue({ mode, unhealed }: DriftEntry): boolean {
  return mode === "heal" && unhealed === null;
}

/** Of no stack. */
function whyNone(facts: HealFacts): string | null {
  if (!facts.wasAsked) return "no runtime was asked who stands for it (--url)";
  if (facts.unasked.length > 0) return "it is not known who stands for it";
  return stateOfAll(facts) === "failed" ? "not every stack could be looked at" : null;
}

/** An estate that differs everywhere has another cause than a hand: people look at that first. */
function whyNotThis(
  { plans, environment }: HealFacts,
  { stack, report }: { readonly stack: string; readonly report: FoundDrift },
  { budgets }: PlanReview,
  now: Date,
): string | null {
  const plan = plans.get(stack);
  if (plan === undefined || report.unknown.length === 0) return "there is no plan of it";
  // Without exceptions: those were given for another change.
  const at = { environment, now, existing: existingOf(plan) };
  return judgePlan(plan, budgets, [], at).state === "stop"
    ? "the budgets stop what this stack differs by"
    : null;
}

const STACK = /^[a-z][a-z0-9-]{0,62}$/;
/** `type.name`; ours are made of these alone, and Terraform's own flags begin otherwise. */
const ADDRESS = /^aws_[a-z0-9_]{1,80}\.[A-Za-z0-9_-]{1,120}$/;

/** Null: that is none of ours. @param json of the file that `infra drift --heals-file` writes */
export function readHeals(json: unknown): readonly HealWish[] | null {
  if (!Array.isArray(json)) return null;
  const read = json.map(readWish);
  const stacks = read.map((one) => one?.stack);
  if (new Set(stacks).size !== stacks.length) return null;
  return read.every((one) => one !== null) ? read : null;
}

function readWish(one: unknown): HealWish | null {
  if (typeof one !== "object" || one === null) return null;
  const { stack, addresses } = one as { stack?: unknown; addresses?: unknown };
  if (typeof stack !== "string" || !STACK.test(stack)) return null;
  if (!Array.isArray(addresses) || addresses.length === 0) return null;
  const isSound = addresses.every((text) => typeof text === "string" && ADDRESS.test(text));
  return isSound ? { stack, addresses } : null;
}
