/** Schedules name a kind of work, and a time that comes. */
import { Cron } from "croner";
import { errorMessage } from "../../base/fault.js";
import type { Problem } from "../../base/problem.js";
import { descend, entriesOf, type Node, type PolicyTree, problemAt, textOf } from "../tree.js";
import { checkName } from "./name.js";
import { show } from "./shape.js";

export function checkSchedules(tree: PolicyTree): Problem[] {
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
