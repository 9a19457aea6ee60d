/**
 * The JSON of a saved plan (`terraform show -json`), foreign data until here. Format 1.x: names that are not known are
 * ignored, another major version is refused (developer.hashicorp.com/terraform/internals/json-format).
 */
import { isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import type { Checked, Problem } from "../../base/problem.js";
import { ACTIONS, type Action, type PlanDocument, type PlannedChange } from "./plan-document.js";
import { isTooDeep, leavesOf } from "./plan-leaves.js";
import { showName } from "./shown-values.js";

export interface PlanPlace {
  /** Which stack it is a plan of. */
  readonly stack: string;
  /** As the person typed it. */
  readonly file: string;
}

const ADDRESS_MAX = 500;
/** More problems than these say nothing new. */
const PROBLEMS_MAX = 10;

/** Terraform's own words: anything else may be anything. */
const REASONS = new Set([
  "replace_because_tainted",
  "replace_because_cannot_update",
  "replace_by_request",
  "replace_by_triggers",
  "delete_because_no_resource_config",
  "delete_because_no_module",
  "delete_because_wrong_repetition",
  "delete_because_count_index",
  "delete_because_each_key",
  "delete_because_no_move_target",
  "read_because_config_unknown",
  "read_because_dependency_pending",
  "read_because_check_nested",
]);

export function readPlan(
  json: unknown,
  { stack, file }: PlanPlace = { stack: "", file: "plan.json" },
): Checked<PlanDocument> {
  const problems: Problem[] = [];
  const report = (message: string, hint?: string) => {
    problems.push({ file, line: 0, column: 0, message, hint });
  };
  if (!isJsonObject(json)) {
    report("found no JSON object", HINT);
    return { ok: false, problems };
  }
  const version = json.format_version;
  if (typeof version !== "string" || !/^1\.\d+$/.test(version))
    report(`found format_version ${shortJson(version)}, expected 1.x`, HINT);
  const changes = readChanges(json.resource_changes, stack, "resource_changes", report);
  const drift = readChanges(json.resource_drift, stack, "resource_drift", report);
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, PROBLEMS_MAX) };
  const deferred = Array.isArray(json.deferred_changes) && json.deferred_changes.length > 0;
  return {
    ok: true,
    value: {
      formatVersion: String(version),
      terraformVersion: versionOf(json.terraform_version),
      ...{ changes, drift, outputsChanged: changedOutputs(json.output_changes) },
      imageTag: imageTagOf(json.variables),
      errored: json.errored === true,
      complete: json.complete !== false && !deferred,
    },
  };
}

const HINT = "write it with: terraform show -json plan.bin";

type Report = (message: string, hint?: string) => void;

function readChanges(value: Json | undefined, stack: string, list: string, report: Report) {
  // Terraform leaves a list out that would be empty.
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    report(`found ${shortJson(value)} at ${list}, expected a list`, HINT);
    return [];
  }
  return value.flatMap((one, index) => {
    const read = readChange(one, stack);
    if (typeof read !== "string") return [read];
    report(`${list}[${index}]: ${read}`, HINT);
    return [];
  });
}

/** A text: what is wrong with it. */
function readChange(value: Json, stack: string): PlannedChange | string {
  if (!isJsonObject(value) || !isJsonObject(value.change)) return "found no change of a resource";
  const { address, type, name, change } = value;
  if (!isName(address) || !isName(type) || !isName(name)) return "found no address, type and name";
  const actions = readActions(change.actions);
  if (typeof actions === "string") return `${address}: ${actions}`;
  if (isTooDeep(change)) return `${address}: found values nested deeper than any schema goes`;
  const isWritten = actions.includes("create") || actions.includes("update");
  const reason = value.action_reason;
  return {
    ...{ address, type, name, stack, actions },
    replacePaths: readReplacePaths(change.replace_paths),
    importing: isJsonObject(change.importing),
    reason: typeof reason === "string" && REASONS.has(reason) ? reason : null,
    leaves: isWritten ? leavesOfChange(change) : [],
  };
}

function isName(value: Json | undefined): value is string {
  if (typeof value !== "string" || value === "" || value.length > ADDRESS_MAX) return false;
  // Terraform escapes them in keys: raw, they would be lines of a log, and commands to whoever reads it.
  return !/\p{Cc}/u.test(value);
}

/** One that we do not know could do anything. */
function readActions(value: Json | undefined): Action[] | string {
  const words = Array.isArray(value) ? value : [];
  const known = ACTIONS.filter((action) => words.includes(action));
  return words.length > 0 && words.length === known.length
    ? words.flatMap((word) => known.filter((action) => action === word))
    : `found actions ${shortJson(value)}, expected some of ${ACTIONS.join(", ")}`;
}

function leavesOfChange(change: JsonObject): PlannedChange["leaves"] {
  return leavesOf({
    before: change.before,
    after: change.after,
    beforeSensitive: change.before_sensitive,
    afterSensitive: change.after_sensitive,
    afterUnknown: change.after_unknown,
  });
}

/** `[["rule", 0, "days"]]` → `rule[0].days` */
function readReplacePaths(value: Json | undefined): string[] {
  const paths = (Array.isArray(value) ? value : []).filter((path) => Array.isArray(path));
  return paths.map((path) =>
    path
      .map((step) => (typeof step === "number" ? `[${step}]` : `.${showName(String(step))}`))
      .join("")
      .replace(/^\./, ""),
  );
}

function changedOutputs(value: Json | undefined): string[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value)
    .filter(([, change]) => !isJsonObject(change) || !isNoOp(change.actions))
    .map(([name]) => showName(name))
    .sort();
}

function isNoOp(actions: Json | undefined): boolean {
  return Array.isArray(actions) && actions.every((action) => action === "no-op");
}

/** What is no commit is no image of ours: it is not repeated, and it is the same as no running one. */
function imageTagOf(variables: Json | undefined): string | null {
  const variable = isJsonObject(variables) ? variables.image_tag : undefined;
  if (!isJsonObject(variable)) return null;
  const { value } = variable;
  return typeof value === "string" && /^[0-9a-f]{40}$/.test(value) ? value : "unreadable";
}

function versionOf(value: Json | undefined): string {
  return typeof value === "string" && /^\d+\.\d+\.\d+(-[a-z0-9.]{1,20})?$/.test(value)
    ? value
    : "unknown";
}

/** Of what should be a short word; whatever else stands there is not repeated. */
function shortJson(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? "nothing";
  return /^[\w."[\],{}-]{1,40}$/.test(text) ? text : "something else";
}
