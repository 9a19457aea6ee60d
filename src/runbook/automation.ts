/** Which automation is meant for a cause: an incident that was triggered, or an alert level that was entered. */
import { unreachable } from "../base/assert.js";
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
