/** What a policy needs of the program that works with it. */
import { type Requires, SCHEMA_VERSION } from "./envelope-types.js";
import type { PolicySet } from "./policy.js";

/**
 * The runbooks that alerts, automation and access name, as far as they are built; a planned one is needed by nobody.
 * @param built name to SHA-256 of every runbook of the publishing program
 */
export function requiresOf(set: PolicySet, built: Readonly<Record<string, string>>): Requires {
  const named = new Set<string | null>([
    ...set.alerts.flatMap(({ levels }) => levels.map(({ runbook }) => runbook)),
    ...set.automation.map(({ runbook }) => runbook),
    ...set.access.rules.map(({ runbook }) => runbook),
  ]);
  const runbooks = Object.entries(built)
    .filter(([name]) => named.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { schema: SCHEMA_VERSION, runbooks: Object.fromEntries(runbooks) };
}
