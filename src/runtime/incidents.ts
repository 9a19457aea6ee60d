/** A page of a severity that the policy names opens an incident, in the transaction that writes the page. */
import type { PolicySet } from "../policy/policy.js";
import { openIncident } from "../store/incidents.js";
import type { SpeakDeps } from "./speak.js";

/** Who opens what nobody has asked for. */
const EVALUATOR = "alerts";

export function createOpenOnPage(deps: {
  readonly policy: () => PolicySet;
  readonly now: () => Date;
}): NonNullable<SpeakDeps["onPage"]> {
  return async (tx, page) => {
    const policy = deps.policy();
    if (!policy.monitoring.incidents.openFor.includes(page.severity)) return;
    const causeKey = `${page.system}/${page.groupKey}`;
    const { title, severity, startedAt } = page;
    const wish = { title, severity, causeKey, startedAt, by: EVALUATOR, now: deps.now() };
    await openIncident(tx, wish, policy);
  };
}
