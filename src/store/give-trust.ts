/** A person gives automation back what a runbook has lost: one path for terminal and API. */
import type { PolicySet } from "../policy/policy.js";
import { authorshipOf, whyNotAlone } from "../runbook/authors.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import { pinOf } from "../runbook/run.js";
import type { Sql } from "./database.js";
import { resetTrust } from "./promotions.js";
import { subjectOf } from "./trust-list.js";

export interface TrustGiver {
  /** As the audit names the account. */
  readonly by: string;
  /** Who of access.yaml it is; null: nobody there. */
  readonly person: string | null;
  readonly reason: string;
}

type GivenPolicy = Pick<PolicySet, "access" | "automation" | "environment" | "healing">;

/**
 * Call it in a transaction. Null: all that the policy grants counts again; otherwise why people are still asked to
 * agree, and who may raise it further.
 */
export async function giveTrust(
  tx: Sql,
  entry: RegisteredRunbook,
  { by, person, reason }: TrustGiver,
  policy: GivenPolicy,
): Promise<string | null> {
  const { name } = entry.runbook;
  const why = whyBounded(entry, person, policy);
  const { pin, grant } = subjectOf(name, pinOf(entry.contentHash), policy.automation);
  const bound = why === null ? undefined : { grant, rules: policy.healing.automation.promotion };
  const isBounded = await resetTrust(tx, { ...{ runbook: name, pin, by, reason }, bound });
  return isBounded
    ? `${why}: automation starts it when people agree, and alone when somebody else gives it that back, or its runs have earned it`
    : null;
}

/** What only reads is always `auto`, whoever says what. */
function whyBounded(
  { runbook, change = null }: RegisteredRunbook,
  person: string | null,
  { access, environment }: GivenPolicy,
): string | null {
  if (runbook.danger === "R") return null;
  const authorship = authorshipOf(change, access);
  return whyNotAlone(runbook.name, person, authorship, environment === "local");
}
