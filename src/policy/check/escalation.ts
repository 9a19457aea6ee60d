/** Whoever is called is called in order and in time: four roles (HB-slo-05), and no more time for what is worse. */
import type { Problem } from "../../base/problem.js";
import { RESPONSE_DEFAULTS } from "../defaults.js";
import { SEVERITIES, type Severity } from "../policy.js";
import { descend, durationOf, itemsOf, type Node, type PolicyTree, problemAt } from "../tree.js";
import { checkUnique } from "./name.js";
import { show } from "./shape.js";

/** On-call, tech lead, engineering manager, CTO: as roles, whoever they are (HB-slo-05). */
const ESCALATION_STEPS = 4;

export function checkEscalation(tree: PolicyTree): Problem[] {
  const routes = tree.get("routes");
  return [
    ...checkSteps(descend(routes, "escalation")),
    ...checkResponses(descend(routes, "severities")),
  ];
}

function checkSteps(escalation: Node | undefined): Problem[] {
  const steps = itemsOf(escalation);
  if (escalation?.kind !== "list") return [];
  const roles = steps.map((step) => (step.kind === "map" ? descend(step, "role") : step));
  return [
    ...checkCount(escalation, steps),
    ...checkUnique(roles, "the role"),
    ...checkTimes(steps),
  ];
}

function checkCount(escalation: Node, steps: readonly Node[]): Problem[] {
  if (steps.length === ESCALATION_STEPS || steps.length === 0) return [];
  return [
    problemAt(
      escalation.place,
      `found ${steps.length} ${steps.length === 1 ? "role" : "roles"}, expected four, from on-call to the last one (HB-slo-05)`,
    ),
  ];
}

function checkTimes(steps: readonly Node[]): Problem[] {
  return steps.flatMap((step, at) => {
    const node = descend(step, "after");
    const [before, after] = [descend(steps[at - 1], "after"), node].map(durationOf);
    if (!node || after === undefined) return [];
    if (at === 0 && after > 0)
      return [
        problemAt(node.place, `found ${show(node)}, expected 0s: the first is called at once`),
      ];
    if (before === undefined || after > before) return [];
    return [
      problemAt(
        node.place,
        `found ${show(node)}, expected later than ${show(descend(steps[at - 1], "after")!)} of the role before`,
      ),
    ];
  });
}

/** Nobody has more time for what is worse. */
function checkResponses(severities: Node | undefined): Problem[] {
  return SEVERITIES.slice(1).flatMap((severity, at) => {
    const node = descend(severities, severity, "respondWithin");
    const worse = SEVERITIES[at]!;
    if (!node || waitOf(severities, severity) >= waitOf(severities, worse)) return [];
    return [
      problemAt(
        node.place,
        `found ${show(node)}, expected no sooner than ${worse}, which is worse (X-26)`,
      ),
    ];
  });
}

/** Milliseconds; the next business day is later than any of them. */
function waitOf(severities: Node | undefined, severity: Severity): number {
  const node = descend(severities, severity, "respondWithin");
  const usual = RESPONSE_DEFAULTS[severity];
  if (!node) return usual.by === "time" ? usual.withinMs : Number.POSITIVE_INFINITY;
  return durationOf(node) ?? Number.POSITIVE_INFINITY;
}
