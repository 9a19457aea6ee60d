/** Synthesized stacks in the order in which they are applied. */
import type { JsonObject } from "../../src/base/json.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { STACK_ORDER, type StackPart } from "../../src/policy/stack-order.js";
import { synthesized } from "./synthesized.js";

export interface OrderedDocument {
  readonly part: StackPart;
  /** Of the stack: `algobrain-production-data`. */
  readonly name: string;
  readonly document: JsonObject;
}

export async function orderedDocuments(policy: PolicySet): Promise<readonly OrderedDocument[]> {
  const { documents } = await synthesized(policy);
  return STACK_ORDER.map((part) => {
    const name = Object.keys(documents).find((one) => one.endsWith(`-${part}`));
    if (name === undefined) throw new Error(`there is no stack ${part}`);
    return { part, name, document: documents[name]! };
  });
}
