/** What a plan would do, in lines that a test can name: `aws_lb.balancer update idle_timeout`. */
import { isJsonObject, type Json, type JsonObject } from "../../src/base/json.js";

/**
 * One line per resource that is not left alone: address, actions joined by `+`, then for an update the attributes that
 * differ. Sorted. `from` is `resource_drift` for what changed behind Terraform's back.
 */
export function planChanges(
  plan: Json,
  from: "resource_changes" | "resource_drift" = "resource_changes",
): string[] {
  const changes = isJsonObject(plan) && Array.isArray(plan[from]) ? plan[from] : [];
  return changes.filter(isJsonObject).flatMap(describeChange).sort();
}

function describeChange({ address, change }: JsonObject): string[] {
  if (!isJsonObject(change) || !Array.isArray(change.actions)) return [];
  const actions = change.actions.join("+");
  const importing = change.importing === undefined ? "" : " importing";
  if (actions === "no-op" && importing === "") return [];
  const changed = actions === "update" ? ` ${changedAttributes(change).join(",")}` : "";
  return [`${address} ${actions}${changed}${importing}`];
}

function changedAttributes({ before, after, after_unknown }: JsonObject): string[] {
  const [old, next] = [asObject(before), asObject(after)];
  const unknown = Object.keys(asObject(after_unknown)).filter(
    (name) => asObject(after_unknown)[name] === true,
  );
  const names = [...new Set([...Object.keys(old), ...Object.keys(next), ...unknown])].sort();
  return names.filter(
    (name) => unknown.includes(name) || JSON.stringify(old[name]) !== JSON.stringify(next[name]),
  );
}

function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}
