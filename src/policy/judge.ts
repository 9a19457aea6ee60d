/** One operation of a diff → whom it concerns, how risky it is, and a sentence that a reviewer reads once. */
import type { Json } from "../base/json.js";
import type { Change, Operation } from "./change.js";
import { ALERT_ROWS } from "./judge/alert.js";
import { CLOUD_ROWS } from "./judge/cloud.js";
import { EXCEPTION_ROWS } from "./judge/exceptions.js";
import { WATCHING_ROWS } from "./judge/monitoring.js";
import { PEOPLE_ROWS } from "./judge/people.js";
import type { Rows, Seen, Sets, Verdict } from "./judge/row.js";
import { RETENTION_NAMES, RUNTIME_ROWS } from "./judge/runtime.js";
import { WORKLOAD_ROWS } from "./judge/workload.js";
import { nounBelow, patternBelow } from "./layout.js";
import type { PolicySet } from "./policy.js";
import { value } from "./words.js";

/** By pattern; what has no row is neutral, or new, or gone. */
const ROWS: Rows = {
  ...ALERT_ROWS,
  ...RUNTIME_ROWS,
  ...CLOUD_ROWS,
  ...PEOPLE_ROWS,
  ...WATCHING_ROWS,
  ...EXCEPTION_ROWS,
  ...WORKLOAD_ROWS,
};

export function judge(operation: Operation, sets: Sets): Change {
  const { at } = operation;
  const seen: Seen = { operation, at, sets, ...valuesOf(operation) };
  const verdict = (rowOf(at) ?? judgeOther)(seen);
  const section = at[0] as keyof PolicySet;
  return { operation, section, subject: subjectOf(seen), ...verdict };
}

/** Whether a value at this place has a row of its own. */
export function hasRow(at: readonly string[]): boolean {
  return rowOf(at) !== undefined;
}

function rowOf(at: readonly string[]) {
  const pattern = at.reduce(patternBelow, "");
  return Object.hasOwn(ROWS, pattern) ? ROWS[pattern] : undefined;
}

function valuesOf(operation: Operation): Pick<Seen, "before" | "after"> {
  return {
    before: "before" in operation ? operation.before : undefined,
    after: "after" in operation ? operation.after : undefined,
  };
}

function judgeOther({ operation, at, before, after }: Seen): Verdict {
  const what = at.at(-1) ?? "";
  switch (operation.op) {
    case "add":
      return { risk: "new", words: `${what}: ${value(after)}` };
    case "remove":
      return { risk: "gone", words: `${what}: was ${value(before)}` };
    case "set":
      return { risk: "neutral", words: `${what} ${value(before)} → ${value(after)}` };
    case "rename":
      return { risk: "neutral", words: `renamed ${operation.from} → ${operation.to}` };
    case "order":
      return { risk: "neutral", words: `in another order: ${operation.names.join(", ")}` };
  }
}

/** `AR-06 queue-depth-high`, `events_retention_days`, `worker gc`, `healing`. */
function subjectOf(seen: Seen): string {
  const { operation, at } = seen;
  const path = operation.op === "rename" ? [...at, operation.to] : at;
  if (path[0] === "alerts") return alertOf(path, seen);
  if (path[0] === "retention") return RETENTION_NAMES[path[1] ?? ""] ?? "retention";
  let pattern = "";
  const named: string[] = [];
  for (const step of path) {
    const noun = nounBelow(pattern);
    if (noun !== undefined) named.push(`${noun} ${step}`);
    pattern = patternBelow(pattern, step);
  }
  return named.length > 0 ? named.join(", ") : (path[0] ?? "");
}

function alertOf(
  [, rule = "alerts", part, id]: readonly string[],
  { before, after }: Seen,
): string {
  if (part === "levels" && id !== undefined) return `${id} ${rule}`;
  const ids = levelIds(after ?? before);
  return ids.length > 0 ? `${ids.join(", ")} ${rule}` : rule;
}

/** Of a rule that is new or gone as a whole. */
function levelIds(rule: Json | undefined): string[] {
  const { levels } = (typeof rule === "object" && rule !== null ? rule : {}) as { levels?: Json };
  if (!Array.isArray(levels)) return [];
  return levels.map((level) => String((level as { id?: Json }).id));
}
