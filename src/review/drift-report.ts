/** What holds in a runtime against the policies, read from the answer of its `/health`: foreign data until here. */
import { isJsonObject, type Json } from "../base/json.js";

export interface HeldValue {
  /** The path of an emergency setting, or the variable that is set there. */
  readonly path: string;
  /** As JSON. */
  readonly value: string;
  readonly policyValue: string;
  /** Null: a variable, which nobody has to give a reason for. */
  readonly override: {
    readonly owner: string;
    readonly reason: string;
    /** ISO 8601. */
    readonly expires: string;
  } | null;
  /** Why it does not hold all the same. */
  readonly unusable: string | null;
}

/** At `address`, which is shown to reviewers: without credentials. */
export type InForce =
  | { readonly address: string; readonly held: readonly HeldValue[] }
  | { readonly address: string; readonly unknown: string };

/** Null: that is no answer of ours. */
export function readHeldValues(health: unknown): readonly HeldValue[] | null {
  if (!isJsonObject(health) || !Array.isArray(health.drift)) return null;
  const held = health.drift.map(readOne);
  return held.every((one) => one !== null) ? held : null;
}

function readOne(one: Json): HeldValue | null {
  if (!isJsonObject(one) || typeof one.name !== "string") return null;
  const { override } = one;
  return {
    path: one.name,
    value: JSON.stringify(one.value ?? null),
    policyValue: JSON.stringify(one.policyValue ?? null),
    override: isJsonObject(override)
      ? {
          owner: String(override.owner),
          reason: String(override.reason),
          expires: String(override.until),
        }
      : null,
    unusable: typeof one.unusable === "string" ? one.unusable : null,
  };
}
