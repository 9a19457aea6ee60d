/** The name of a policy by its meaning: comments, order and layout of the files do not matter. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../base/json.js";
import type { PolicySet } from "./policy.js";

/** SHA-256 over the canonical JSON of the set, as 64 hex characters. */
export function policyDigest(set: PolicySet): string {
  return createHash("sha256").update(canonicalJson(set)).digest("hex");
}
