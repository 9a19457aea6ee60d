/** Which automation is meant for a cause (an incident that was triggered, an alert level that was entered), and with what. */
import { unreachable } from "../base/assert.js";
import type { Json, JsonObject } from "../base/json.js";
import type { Automation } from "../policy/policy.js";

export type Cause =
  | { readonly on: "incident"; readonly title: string; readonly incidentKey: string | null }
  | { readonly on: "alert"; readonly level: string };

export function isMeantFor({ when }: Pick<Automation, "when">, cause: Cause): boolean {
  switch (cause.on) {
    case "alert":
      return when.on === "alert" && when.level === cause.level;
    case "incident":
      return when.on === "incident" && fits(when, cause);
    default:
      return unreachable(cause);
  }
}

/** Every condition that is given must hold, and one must be given. */
function fits(
  { titleIncludes, dedupKeyPrefix }: Extract<Automation["when"], { on: "incident" }>,
  { title, incidentKey }: Extract<Cause, { on: "incident" }>,
): boolean {
  if (titleIncludes === null && dedupKeyPrefix === null) return false;
  return (
    (titleIncludes === null || title.toLowerCase().includes(titleIncludes.toLowerCase())) &&
    (dedupKeyPrefix === null || (incidentKey ?? "").startsWith(dedupKeyPrefix))
  );
}

/** What a runbook's parameters may take from a cause: `incident.id`, `alert.labels.kind`. */
export type CauseValues = Readonly<Record<string, Json>>;

export type Filled =
  | { readonly ok: true; readonly params: JsonObject }
  /** `threshold: ${alert.labels.shard}`, for people. */
  | { readonly ok: false; readonly missing: readonly string[] };

/** The whole text of a parameter: what stands inside other text is never put together. */
const PLACEHOLDER = /^\$\{((?:incident|alert)(?:\.[A-Za-z_][\w-]*)+)\}$/;
/** What comes from outside goes into argument lists and queries: no longer than a name ever is, and nothing unseen. */
const VALUE_MAX = 200;

/** Placeholders replaced by what the cause says; the runbook's own schema then judges the result. */
export function fillParams(params: JsonObject, values: CauseValues): Filled {
  const missing: string[] = [];
  const entries = Object.entries(params).map(([name, value]) => {
    if (typeof value !== "string" || !value.includes("${")) return [name, value] as const;
    const key = PLACEHOLDER.exec(value)?.[1];
    const found = key !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;
    if (!isUsable(found)) missing.push(`${name}: ${value}`);
    return [name, found ?? null] as const;
  });
  if (missing.length > 0) return { ok: false, missing };
  return { ok: true, params: Object.fromEntries(entries) };
}

function isUsable(value: Json | undefined): boolean {
  if (typeof value === "string")
    return value !== "" && value.length <= VALUE_MAX && !/\p{Cc}|\p{Surrogate}/u.test(value);
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}
