/**
 * A seal beside a saved plan: what it was made of. Only that plan, on that state, of that commit, those policies and those
 * providers is applied; whatever differs is planned anew (decision 0053).
 */
import { isJsonObject, type Json } from "../../base/json.js";
import type { VerdictState } from "./verdict.js";

export const PURPOSES = ["apply", "heal"] as const;
export type SealPurpose = (typeof PURPOSES)[number];

export interface Seal {
  readonly version: 1;
  readonly environment: string;
  readonly stack: string;
  /** Of the checkout, 40 hex. */
  readonly commit: string;
  /** Of the policies' meaning (policy/digest), 64 hex. */
  readonly policyDigest: string;
  /** Of `.terraform.lock.hcl`. */
  readonly lockSha256: string;
  /** Null: there is no state yet. */
  readonly stateLineage: string | null;
  /** 0: there is no state yet. */
  readonly stateSerial: number;
  /** Of `plan.bin`. */
  readonly planSha256: string;
  /** Of what `terraform show -json plan.bin` says. */
  readonly planJsonSha256: string;
  /** Of `cdk.tf.json`. */
  readonly synthSha256: string;
  readonly terraform: string;
  /** The commit whose images ran; null: this stack says none. A plan made before a deployment would take it back. */
  readonly imageTag: string | null;
  readonly verdict: VerdictState;
  /** `heal`: a part of a stack, put back to what was applied before; judged by rules of its own (judge-heal). */
  readonly purpose: SealPurpose;
  /** ISO 8601. */
  readonly madeAt: string;
}

/** What is found when it is to be applied. */
export type Sealable = Omit<Seal, "version" | "verdict" | "purpose" | "madeAt">;

export interface SealDifference {
  readonly field: string;
  readonly found: string;
  readonly expected: string;
}

/** Every field is there to be compared: the compiler would miss one that is left out. */
const FIELDS: Readonly<Record<keyof Sealable, true>> = {
  environment: true,
  stack: true,
  commit: true,
  policyDigest: true,
  lockSha256: true,
  stateLineage: true,
  stateSerial: true,
  planSha256: true,
  planJsonSha256: true,
  synthSha256: true,
  terraform: true,
  imageTag: true,
};

/** Every field that differs; none when it is the same plan on the same ground. */
export function checkSeal(sealed: Seal, now: Sealable): readonly SealDifference[] {
  return (Object.keys(FIELDS) as (keyof Sealable)[])
    .filter((field) => sealed[field] !== now[field])
    .map((field) => ({
      ...{ field, found: String(now[field] ?? "none"), expected: String(sealed[field] ?? "none") },
    }));
}

const HEX = /^[0-9a-f]{64}$/;
const COMMIT = /^[0-9a-f]{40}$/;
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const STATES: readonly VerdictState[] = ["ok", "ask", "stop"];

/** Null: that is no seal of ours. */
export function readSeal(json: unknown): Seal | null {
  if (!isJsonObject(json) || json.version !== 1) return null;
  const { environment, stack, commit, stateSerial, stateLineage, terraform, imageTag, madeAt } =
    json;
  const [policyDigest, lockSha256, planSha256, planJsonSha256, synthSha256] = [
    ...[json.policyDigest, json.lockSha256, json.planSha256],
    ...[json.planJsonSha256, json.synthSha256],
  ];
  const verdict = STATES.find((state) => state === json.verdict);
  const purpose = PURPOSES.find((one) => one === json.purpose);
  const isSound =
    is(environment, NAME) &&
    is(stack, NAME) &&
    is(commit, COMMIT) &&
    is(terraform, /^[\w.+-]{1,40}$/);
  const hasDigests = is(policyDigest, HEX) && is(lockSha256, HEX) && is(planSha256, HEX);
  if (!isSound || !hasDigests || !is(planJsonSha256, HEX) || !is(synthSha256, HEX)) return null;
  if (verdict === undefined || purpose === undefined || typeof madeAt !== "string") return null;
  if (typeof stateSerial !== "number" || !Number.isSafeInteger(stateSerial)) return null;
  if (stateLineage !== null && !is(stateLineage, /^[\w-]{1,80}$/)) return null;
  if (imageTag !== null && !is(imageTag, COMMIT)) return null;
  return {
    ...{
      version: 1,
      environment,
      stack,
      commit,
      policyDigest,
      lockSha256,
      stateLineage,
      stateSerial,
    },
    ...{ planSha256, planJsonSha256, synthSha256, terraform, imageTag, verdict, purpose, madeAt },
  };
}

function is(value: Json | undefined, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}
