/**
 * Stacks that somebody else's code has synthesized, held against our own policies' ground before there are credentials:
 * layer 1, the refusals, and what one stack reads of another.
 */
import { isJsonObject, type JsonObject } from "../src/base/json.js";
import type { PolicySet } from "../src/policy/policy.js";
import { STACK_ORDER, type StackPart } from "../src/policy/stack-order.js";
import { checkStacks } from "./cross-stack.js";
import { stackName, stateBucketName } from "./names.js";
import { checkRefusals, type OwnGround } from "./refusals.js";
import type { StackFinding } from "./schema-check.js";
import { checkStack } from "./synth.js";

export interface ForeignStack {
  /** Of its folder: `algobrain-production-services`. */
  readonly name: string;
  readonly document: unknown;
}

/** `at` begins with the name of the stack. @param policies of every environment that may be among them */
export function checkForeign(
  stacks: readonly ForeignStack[],
  policies: readonly PolicySet[],
): StackFinding[] {
  const known = policies.flatMap((policy) =>
    STACK_ORDER.map((part) => ({ name: stackName(policy, part), part, policy })),
  );
  const findings = stacks.flatMap(({ name, document }) => {
    const place = known.find((one) => one.name === name);
    if (place === undefined)
      return [{ at: name, message: "is refused: no environment of the policies has such a stack" }];
    if (!isJsonObject(document)) return [{ at: name, message: "is refused: expected JSON object" }];
    const own = groundOf(place.policy, place.part);
    const refused = checkRefusals(document, own);
    // Layer 1 trusts in the shapes that are refused here.
    const found = refused.length > 0 ? refused : checkStack(document);
    return found.map(({ at, message }) => ({ at: `${name}: ${at}`, message }));
  });
  if (findings.length > 0) return findings;
  return policies.flatMap((policy) => between(stacks, policy));
}

function between(stacks: readonly ForeignStack[], policy: PolicySet): StackFinding[] {
  const documents: Partial<Record<StackPart, JsonObject>> = {};
  for (const part of STACK_ORDER) {
    const document = stacks.find(({ name }) => name === stackName(policy, part))?.document;
    if (isJsonObject(document)) documents[part] = document;
  }
  return checkStacks(documents).map(({ at, message }) => ({
    ...{ at: `${policy.system}-${policy.environment}: ${at}`, message },
  }));
}

/** As `foundation.ts` lays it. Environment `local` keeps its state in a file beside it, and is never applied. */
function groundOf(policy: PolicySet, part: StackPart): OwnGround {
  const earlier = STACK_ORDER.slice(0, STACK_ORDER.indexOf(part));
  const states = earlier.map((name) => [name, stateRead(policy, name)] as const);
  const backend: JsonObject =
    policy.environment === "local"
      ? { local: { path: "terraform.tfstate" } }
      : { s3: { ...stateAt(policy, part), encrypt: true, use_lockfile: true } };
  return { backend, states: Object.fromEntries(states) };
}

function stateRead(policy: PolicySet, part: StackPart): JsonObject {
  if (policy.environment !== "local") return { backend: "s3", config: stateAt(policy, part) };
  const path = `../${stackName(policy, part)}/terraform.tfstate`;
  // The library writes no workspace where none is asked for.
  return { backend: "local", config: { path } };
}

function stateAt(policy: PolicySet, part: StackPart): JsonObject {
  const { region } = policy.infrastructure;
  return { bucket: stateBucketName(policy), key: `${part}.tfstate`, region };
}
