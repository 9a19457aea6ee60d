/**
 * What `terraform apply -json` says, one message a line (Terraform's documentation, "Machine-Readable UI"): which things
 * it began and which it finished, and what it complained of, without the lines of the configuration that it quotes.
 */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";

/** In the folder of the stack, one an apply; left there by one that did not end well. */
export const APPLY_LOG = /^apply-\w+\.jsonl$/;

export interface ApplyStep {
  readonly state: "begun" | "done" | "failed";
  /** `create`, `update`, `delete`, `replace`, … */
  readonly action: string;
  readonly address: string;
  readonly type: string;
  /** What the provider calls it; null: not told, or of no form that may be shown. */
  readonly id: string | null;
}

export interface ApplyWords {
  readonly steps: readonly ApplyStep[];
  /** `Error: …` with its `with ADDRESS,` and its detail, as on the terminal. */
  readonly complaints: readonly string[];
}

const STATES: Readonly<Record<string, ApplyStep["state"]>> = {
  apply_start: "begun",
  apply_complete: "done",
  apply_errored: "failed",
};
/** Names, ids and ARNs have these letters alone: a value that somebody typed has others sooner or later. */
const ID = /^[\w:/.+=@-]{1,300}$/;

/** Lines that are none of these messages, such as one that was cut off, say nothing. */
export function readApplyLog(text: string): ApplyWords {
  const messages = text.split("\n").flatMap((line) => readLine(line));
  return {
    steps: messages.flatMap(stepOf),
    complaints: messages.flatMap(({ diagnostic }) =>
      isJsonObject(diagnostic) && diagnostic.severity === "error" ? [complaintOf(diagnostic)] : [],
    ),
  };
}

function readLine(line: string): JsonObject[] {
  if (!line.startsWith("{")) return [];
  try {
    const message: Json = JSON.parse(line);
    return isJsonObject(message) ? [message] : [];
  } catch {
    // Cut off in the midst: the message never came.
    return [];
  }
}

function stepOf({ type, hook }: JsonObject): ApplyStep[] {
  const state = STATES[String(type)];
  if (state === undefined || !isJsonObject(hook) || !isJsonObject(hook.resource)) return [];
  const { addr, resource_type } = hook.resource;
  const id = typeof hook.id_value === "string" && ID.test(hook.id_value) ? hook.id_value : null;
  const what = { address: String(addr), type: String(resource_type) };
  return [{ state, action: String(hook.action), ...what, id }];
}

function complaintOf({ summary, detail, address }: JsonObject): string {
  const where = typeof address === "string" ? [`  with ${address},`] : [];
  return [`Error: ${String(summary)}`, ...where, String(detail ?? "")].join("\n").trimEnd();
}

/** What was made by an apply that was cut off and is not in the state, with what is known of it. */
export interface Orphan {
  readonly address: string;
  readonly type: string;
  readonly id: string | null;
  /** False: its making was begun, and nobody heard how it ended. */
  readonly isMade: boolean;
}

/** Of the last word on each address; `kept`: what the state holds. */
export function findOrphans(steps: readonly ApplyStep[], kept: readonly string[]): Orphan[] {
  const last = new Map<string, ApplyStep>();
  for (const step of steps)
    if (["create", "replace"].includes(step.action)) last.set(step.address, step);
  return [...last.values()]
    .filter(({ address }) => !kept.includes(address))
    .map(({ address, type, id, state }) => ({ address, type, id, isMade: state === "done" }));
}
