/** A runbook in words, for a terminal: what it does, what it takes, how it is called. */

import type { Runbook } from "../runbook/define.js";
import { positionalWords, promptsOf } from "../runbook/prompts.js";
import { DANGERS } from "./run-plan.js";
import { formatTable } from "./table.js";

export function describeRunbook(runbook: Runbook): string[] {
  const { name, title, danger, aliases, steps, verify } = runbook;
  const rows = promptsOf(runbook).map(({ name: parameter, isNeeded, preset, description }) => {
    const may = preset === null ? "may be left out" : `default ${JSON.stringify(preset)}`;
    return [`  ${parameter}`, isNeeded ? "needed" : may, description];
  });
  return [
    `${name}: ${title}`,
    `danger: ${DANGERS[danger]}${aliases.length > 0 ? `; short: ${aliases.join(", ")}` : ""}`,
    ...(rows.length > 0 ? formatTable(["parameter", "", "means"], rows) : ["no parameters"]),
    "steps:",
    ...steps.map((step) => `  ${step.name}`),
    ...(verify ? ["  verify: success is decided by looking, not by the steps ending"] : []),
    callOf(runbook),
  ];
}

/** How it is called here; the same words work behind /algobrain. */
export function callOf(runbook: Runbook): string {
  const words = ["algobrain runbook run", runbook.name, ...positionalWords(runbook)];
  return `call: ${[...words, "[--dry-run]"].join(" ")}`;
}
