/** Why a receiver is told something about a group of alerts now, or why not: each decision has a name. */

/** We speak. */
export const SPOKEN_REASONS = [
  "first-notification",
  "new-alert",
  "upgraded",
  "downgraded",
  "repeat-interval-elapsed",
  "some-resolved",
  "resolved",
  "rule-edited",
  "rule-removed",
  "silence-ended",
] as const;
/** We do not. */
export const WITHHELD_REASONS = [
  "nothing-changed",
  "group-wait",
  "group-interval",
  "cooldown",
  "silenced",
  "inhibited",
  "resolved-in-wait",
  // It is owed a message of its own (its incident stands open there), and the receiver has heard enough for now.
  "no-token",
] as const;

export type SpokenReason = (typeof SPOKEN_REASONS)[number];
export type SayReason = SpokenReason | (typeof WITHHELD_REASONS)[number];

export function isSpoken(reason: SayReason): reason is SpokenReason {
  return (SPOKEN_REASONS as readonly string[]).includes(reason);
}
