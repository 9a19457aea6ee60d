/** Why a receiver was told something, or not, as a sentence. The names of the reasons are in notice.ts. */
import type { SayReason } from "./notice.js";

export const REASON_TEXT: Readonly<Record<SayReason, string>> = {
  "first-notification": "It was told: the group had not been told before.",
  "new-alert": "It was told: an alert had joined the group.",
  upgraded: "It was told: it had got worse.",
  downgraded: "It was told: it had got better, and was not over.",
  "repeat-interval-elapsed": "It was told again: it still fired after the repeat interval.",
  "some-resolved": "It was told: some of the group were over.",
  resolved: "It was told that it was over.",
  "rule-edited": "It was told that it ended: the rule was changed under it.",
  "rule-removed": "It was told that it ended: the rule had left the policy.",
  "silence-ended": "It was told: a silence had ended over it, and it still fired.",
  "nothing-changed":
    "It was not told again: nothing had changed since, and the repeat interval runs.",
  "group-wait": "It was not told yet: the group waits for others that belong to it.",
  "group-interval": "It was not told yet: the group was told a moment ago.",
  cooldown:
    "It was not told: it had been told over shortly before, and fired again within the cool-down.",
  silenced: "It was not told: it is silenced.",
  inhibited: "It was not told: a rule above it fires.",
  "resolved-in-wait": "It was not told: it was over before the group's wait had passed.",
  "no-token":
    "It was not told yet: the receiver has had as much as it bears in a minute; it goes first.",
};
