/** Names across files: receivers, runbooks, kinds, levels; and who may start what by itself. */
import { Cron } from "croner";
import { errorMessage } from "../../base/fault.js";
import type { Problem } from "../../base/problem.js";
import { ROLES, type Role } from "../policy.js";
import {
  descend,
  type Entry,
  entriesOf,
  itemsOf,
  type Node,
  numberOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { checkName, checkUnique } from "./name.js";
import { show } from "./shape.js";

export function checkReferences(tree: PolicyTree): Problem[] {
  return [
    ...checkReceivers(tree),
    ...checkNotify(tree),
    ...checkCatalogue(tree),
    ...checkAccess(tree),
    ...checkAutomation(tree),
    ...checkSchedules(tree),
  ];
}

const RECEIVER = { what: "receiver", where: "policies/routes.yaml" };
const RUNBOOK = { what: "runbook", where: "runbooks/catalogue.yaml" };

/** What a kind of receiver needs, and has no use for. */
const RECEIVER_KEYS: Readonly<Record<string, string | null>> = {
  slack: "channel",
  webhook: "url",
  pagerduty: null,
};

const OWN_KEYS: readonly string[] = ["channel", "url"];

function checkReceivers(tree: PolicyTree): Problem[] {
  const routes = tree.get("routes");
  const receivers = descend(routes, "receivers");
  const runtime = entriesOf(descend(routes, "runtimeReceivers")).flatMap(([, entry]) =>
    itemsOf(entry.node),
  );
  return [
    ...entriesOf(receivers).flatMap(([, entry]) => checkReceiver(entry)),
    ...runtime.flatMap((node) => checkName(node, receivers, RECEIVER)),
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

function checkNotify(tree: PolicyTree): Problem[] {
  const receivers = descend(tree.get("routes"), "receivers");
  return levelsOf(tree).flatMap((level) => [
    ...itemsOf(descend(level, "notify")).flatMap((node) => checkName(node, receivers, RECEIVER)),
    ...checkName(descend(level, "runbook"), tree.get("catalogue"), RUNBOOK),
  ]);
}

function levelsOf(tree: PolicyTree): Node[] {
  return entriesOf(tree.get("alerts"))
    .flatMap(([, rule]) => entriesOf(descend(rule.node, "levels")))
    .map(([, level]) => level.node);
}

function checkCatalogue(tree: PolicyTree): Problem[] {
  const ids = entriesOf(tree.get("catalogue")).map(([, entry]) => descend(entry.node, "id"));
  return checkUnique(ids, "runbook id");
}

function checkAccess(tree: PolicyTree): Problem[] {
  const people = entriesOf(descend(tree.get("access"), "people")).map(([, entry]) => entry.node);
  const identities = (key: string) => people.flatMap((person) => itemsOf(descend(person, key)));
  return [
    ...checkUnique(identities("slack"), "the Slack identity"),
    ...checkUnique(identities("subjects"), "the subject"),
    ...checkUnique(
      people.map((person) => descend(person, "github")),
      "the GitHub login",
    ),
    ...rulesOf(tree).flatMap((rule) => checkAccessRule(rule, tree.get("catalogue"))),
  ];
}

function rulesOf(tree: PolicyTree): readonly Node[] {
  return itemsOf(descend(tree.get("access"), "rules"));
}

function checkAccessRule(rule: Node, catalogue: Node | undefined): Problem[] {
  const runbook = descend(rule, "runbook");
  const danger = descend(rule, "danger");
  if (rule.kind === "map" && !runbook === !danger)
    return [
      problemAt(
        rule.place,
        `found ${runbook ? "runbook and danger" : "neither"}, expected either runbook or danger`,
      ),
    ];
  return checkName(runbook, catalogue, RUNBOOK);
}

function checkAutomation(tree: PolicyTree): Problem[] {
  const levels = levelIdsOf(tree);
  return entriesOf(tree.get("automation")).flatMap(([, entry]) => [
    ...checkName(descend(entry.node, "runbook"), tree.get("catalogue"), RUNBOOK),
    ...checkName(descend(entry.node, "when", "alert"), levels, {
      what: "alert level",
      where: "alerts/",
    }),
    ...checkMayStart(entry.node, tree),
  ]);
}

/** The ids of all levels as a map of names; undefined when there are no readable alerts. */
function levelIdsOf(tree: PolicyTree): Node | undefined {
  const alerts = tree.get("alerts");
  if (!alerts) return undefined;
  const entries = levelsOf(tree).flatMap((level): [string, Entry][] => {
    const node = descend(level, "id");
    const id = textOf(node);
    return node && id !== undefined ? [[id, { key: node.place, node }]] : [];
  });
  return { kind: "map", place: alerts.place, entries: new Map(entries) };
}

/** An automation that access.yaml keeps out would look like a guard and be a hole. */
function checkMayStart(automation: Node, tree: PolicyTree): Problem[] {
  const runbook = descend(automation, "runbook");
  const name = textOf(runbook);
  const danger = textOf(descend(tree.get("catalogue"), name ?? "", "danger"));
  if (!runbook || danger === undefined || !tree.has("access")) return [];
  const door = descend(automation, "when", "incident") ? "pagerduty" : "policy";
  const rule = rulesOf(tree).find(
    (candidate) =>
      textOf(descend(candidate, "runbook")) === name ||
      textOf(descend(candidate, "danger")) === danger,
  );
  const reason = whyNot(rule, door, textOf(descend(tree.get("access"), "serviceRoles", door)));
  return reason === null
    ? []
    : [
        problemAt(
          runbook.place,
          `found ${show(runbook)}, which access.yaml keeps from starting by itself: ${reason}`,
        ),
      ];
}

function whyNot(rule: Node | undefined, door: string, role: string | undefined): string | null {
  if (!rule) return "no rule matches it";
  const doors = itemsOf(descend(rule, "doors")).map(textOf);
  if (!doors.includes(door)) return `its rule does not name the door ${door}`;
  if ((numberOf(descend(rule, "approvals")) ?? 0) > 0) return "its rule wants an approval";
  const needed = textOf(descend(rule, "role"));
  if (rankOf(role) < rankOf(needed))
    return `it needs the role ${needed}, the door ${door} has ${role}`;
  return null;
}

function rankOf(role: string | undefined): number {
  return ROLES.indexOf(role as Role);
}

function checkSchedules(tree: PolicyTree): Problem[] {
  return entriesOf(tree.get("schedules")).flatMap(([, entry]) => [
    ...checkName(descend(entry.node, "kind"), tree.get("workers"), {
      what: "kind",
      where: "workers.yaml",
    }),
    ...checkCron(descend(entry.node, "cron")),
    ...checkTimeZone(descend(entry.node, "timeZone")),
  ]);
}

function checkCron(node: Node | undefined): Problem[] {
  const text = textOf(node);
  if (!node || text === undefined) return [];
  const reason = text.trim().split(/\s+/).length === 5 ? cronFault(text) : "it has not five fields";
  return reason === null
    ? []
    : [
        problemAt(
          node.place,
          `found ${show(node)}, expected a cron line such as "20 3 * * *": ${reason}`,
        ),
      ];
}

/** Asked from a fixed day, so that the same text always gets the same answer. */
const CRON_FROM = "2026-01-01T00:00:00";

function cronFault(text: string): string | null {
  try {
    return new Cron(text, { paused: true }).nextRun(CRON_FROM) === null ? "it never comes" : null;
  } catch (error) {
    return errorMessage(error).replace(/^Cron(?:Pattern|Date): /, "");
  }
}

function checkTimeZone(node: Node | undefined): Problem[] {
  const text = textOf(node);
  if (!node || text === undefined || isTimeZone(text)) return [];
  return [
    problemAt(node.place, `found ${show(node)}, expected a time zone such as UTC or Europe/Berlin`),
  ];
}

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
