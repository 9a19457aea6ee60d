/**
 * Which parts of a bundle describe machines: those must not be in force before the infrastructure has been applied, or
 * the runtime would count on what is not there.
 */
import { canonicalJson, isJsonObject, type Json } from "../base/json.js";
import type { PolicyBundle } from "./envelope-types.js";

/** Whole sections, and single keys of others; alarms that a cloud keeps of the alerts are copies, not what decides. */
const INFRASTRUCTURE: readonly (readonly [section: string, key?: string])[] = [
  ["scaling"],
  ["infrastructure"],
  ["retention", "logs_retention_days"],
  ["retention", "exports_retention_days"],
];

/** Names such as `scaling` and `retention.logs_retention_days`; all of them when there was nothing before. */
export function infrastructureChanges(
  before: PolicyBundle | null,
  after: PolicyBundle,
): readonly string[] {
  return INFRASTRUCTURE.filter(
    (path) => before === null || written(before, path) !== written(after, path),
  ).map((path) => path.join("."));
}

function written(bundle: PolicyBundle, [section, key]: readonly [string, string?]): string {
  const value: Json = bundle.sections[section] ?? null;
  const part = key === undefined ? value : isJsonObject(value) ? (value[key] ?? null) : null;
  return canonicalJson(part);
}
