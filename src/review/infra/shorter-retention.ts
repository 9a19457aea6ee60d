/** Whether a change keeps data for a shorter time, or makes it easier to lose. What was deleted does not come back by a revert. */
import type { Leaf, PlannedChange, Shown } from "./plan-document.js";
import { numberOf, wordsOf } from "./shown-values.js";

/** Days that something is kept: fewer is worse. `expires`: nothing set means for ever. */
const DAYS: readonly { readonly path: RegExp; readonly expires: boolean }[] = [
  // CloudWatch Logs: 0 and nothing set are both for ever.
  { path: /(^|\.)retention_in_days$/, expires: true },
  { path: /(^|\.)backup_retention_period$/, expires: false },
  { path: /(^|\.)snapshot_retention_limit$/, expires: false },
  { path: /(^|\.)recovery_window_in_days$/, expires: false },
  { path: /(^|\.)(deletion_window_in_days|recovery_period_in_days)$/, expires: false },
  {
    path: /expiration(\[\d+\])?\.(days|noncurrent_days|newer_noncurrent_versions)$/,
    expires: true,
  },
];

/** What protects: the value that does, by the name of the attribute. */
const PROTECTIONS: readonly { readonly path: RegExp; readonly safe: string }[] = [
  { path: /(^|\.)(deletion_protection|deletion_protection_enabled)$/, safe: "true" },
  { path: /point_in_time_recovery(\[\d+\])?\.enabled$/, safe: "true" },
  { path: /(^|\.)skip_final_snapshot$/, safe: "false" },
  { path: /(^|\.)(force_destroy|force_delete|delete_automated_backups)$/, safe: "false" },
  { path: /versioning_configuration(\[\d+\])?\.status$/, safe: "Enabled" },
];

/** A sentence; null: nothing is kept for a shorter time. */
export function shorterRetention({ leaves }: Pick<PlannedChange, "leaves">): string | null {
  for (const leaf of leaves) {
    const days = DAYS.find(({ path }) => path.test(leaf.path));
    if (days && isShorter(leaf, days.expires)) return `${leaf.path}: ${wordsOf(leaf)}`;
    const protection = PROTECTIONS.find(({ path }) => path.test(leaf.path));
    if (protection && isLost(leaf, protection.safe)) return `${leaf.path}: ${wordsOf(leaf)}`;
  }
  return null;
}

function isShorter({ before, after }: Leaf, expires: boolean): boolean {
  const [old, young] = [daysOf(before, expires), daysOf(after, expires)];
  // What cannot be seen may be anything.
  return young === null || old === null || young < old;
}

/** Infinity: for ever. */
function daysOf(shown: Shown, expires: boolean): number | null {
  if (shown.kind === "absent") return expires ? Number.POSITIVE_INFINITY : 0;
  const days = numberOf(shown);
  return days === 0 && expires ? Number.POSITIVE_INFINITY : days;
}

/** From the safe value to anything else. What was never protected loses nothing. */
function isLost({ before, after }: Leaf, safe: string): boolean {
  const wasSafe = before.kind === "value" ? before.text === safe : before.kind === "hidden";
  const isSafe = after.kind === "value" && after.text === safe;
  // Nothing said: the safe one is then the provider's own choice only where it is "false".
  const byDefault = safe === "false" && before.kind === "absent" && after.kind !== "absent";
  return (wasSafe || byDefault) && !isSafe;
}
