/** Receivers have what their kind needs, and whoever is called is called in order and in time. */
import type { Problem } from "../../base/problem.js";
import { RESPONSE_DEFAULTS } from "../defaults.js";
import { SEVERITIES, type Severity } from "../policy.js";
import {
  descend,
  durationOf,
  type Entry,
  entriesOf,
  itemsOf,
  type Node,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { checkName, checkUnique } from "./name.js";
import { show } from "./shape.js";

export const RECEIVER = { what: "receiver", where: "policies/routes.yaml" };

/** On-call, tech lead, engineering manager, CTO: as roles, whoever they are (HB-slo-05). */
const ESCALATION_STEPS = 4;

/** What a kind of receiver needs, and has no use for. */
const RECEIVER_KEYS: Readonly<Record<string, string | null>> = {
  slack: "channel",
  webhook: "url",
  pagerduty: null,
};

const OWN_KEYS: readonly string[] = ["channel", "url"];

export function checkRoutes(tree: PolicyTree): Problem[] {
  const routes = tree.get("routes");
  const receivers = descend(routes, "receivers");
  const runtime = entriesOf(descend(routes, "runtimeReceivers")).flatMap(([, entry]) =>
    itemsOf(entry.node),
  );
  return [
    ...entriesOf(receivers).flatMap(([, entry]) => checkReceiver(entry)),
    ...runtime.flatMap((node) => checkName(node, receivers, RECEIVER)),
    ...checkEscalation(descend(routes, "escalation")),
    ...checkResponses(descend(routes, "severities")),
  ];
}

function checkReceiver({ key, node }: Entry): Problem[] {
  const kind = textOf(descend(node, "kind"));
  const needed = RECEIVER_KEYS[kind ?? ""];
  if (needed === undefined) return [];
  const unused = entriesOf(node).filter(([name]) => OWN_KEYS.includes(name) && name !== needed);
  const missing = needed !== null && descend(node, needed) === undefined;
  return [
    ...(missing ? [problemAt(key, `missing key "${needed}", which a ${kind} receiver needs`)] : []),
    ...unused.map(([name, entry]) =>
      problemAt(entry.key, `found "${name}", which a ${kind} receiver does not use`),
    ),
  ];
}

function checkEscalation(escalation: Node | undefined): Problem[] {
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
