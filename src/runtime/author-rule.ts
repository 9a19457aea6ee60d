/** The rule that nobody agrees alone to an automatic run of what he wrote: by what was built here, and by access.yaml. */
import type { PolicySet } from "../policy/policy.js";
import type { ApprovalRule } from "../runbook/authorize.js";
import { authorshipOf, bindToAuthors } from "../runbook/authors.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { digestOf, type Run } from "../runbook/run.js";

export interface AuthorRuleDeps {
  readonly policy: () => Pick<PolicySet, "access" | "environment">;
  readonly registry: Pick<RunbookRegistry, "find">;
}

/** Asked again before the run acts: an address that was entered meanwhile counts. */
export function withAuthors(
  { policy, registry }: AuthorRuleDeps,
  run: Pick<Run, "automation" | "runbook" | "contentHash">,
  rule: ApprovalRule,
): ApprovalRule {
  if (run.automation === null) return rule;
  const entry = registry.find(run.runbook);
  const isIt = entry?.contentHash === digestOf(run.contentHash);
  const { access, environment } = policy();
  const authorship = authorshipOf((isIt && entry?.change) || null, access);
  return bindToAuthors(rule, authorship, environment === "local");
}
