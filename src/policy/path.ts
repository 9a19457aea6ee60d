/**
 * The address of a value as people type it: `retention.events_retention_days`,
 * `alerts.queue-depth-high.levels.high.value`, `metrics["algobrain.jobs.pending"].unit`, `access.rules[0].role`.
 */
import { SECTIONS, type Section } from "./schema.js";

/** Section first, then keys and names as they are written in the files; entries of lists by their number from 0. */
export type PolicyPath = readonly [Section, ...string[]];

/** A step without brackets. */
const PLAIN = /^[A-Za-z_][\w-]*$/;
/** `.name`, `["any.name"]` (a JSON string) or `[0]`. */
const STEP =
  /\.([A-Za-z_][\w-]*)|\["((?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*)"\]|\[(\d+)\]/uy;

/** Null when it is no path, or begins with no section of a policy. */
export function parsePolicyPath(text: string): PolicyPath | null {
  const [first] = /^[\w-]+/.exec(text) ?? [""];
  const section = SECTIONS.find((known) => known === first);
  if (section === undefined) return null;
  const steps: string[] = [];
  STEP.lastIndex = first.length;
  while (STEP.lastIndex < text.length) {
    const match = STEP.exec(text);
    if (match === null) return null;
    const [, plain, quoted, index] = match;
    steps.push(plain ?? index ?? (JSON.parse(`"${quoted}"`) as string));
  }
  return [section, ...steps];
}

export function printPolicyPath([section, ...steps]: PolicyPath): string {
  return section + steps.map(printStep).join("");
}

function printStep(step: string): string {
  if (PLAIN.test(step)) return `.${step}`;
  return /^\d+$/.test(step) ? `[${step}]` : `[${escapeControls(JSON.stringify(step))}]`;
}

/** JSON leaves DEL and its neighbours as they are; no terminal shall meet them. */
function escapeControls(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
