/** A group of alerts as one receiver hears of it. Times are milliseconds since the epoch. */
import type { Severity } from "../policy/policy.js";
import type { Labels } from "./instance.js";
import type { SayReason, SpokenReason } from "./notice.js";

/** An instance as this receiver is concerned by it. */
export interface Member {
  readonly instance: string;
  readonly labels: Labels;
  /** Null: it does not fire, or no longer for this receiver. */
  readonly level: string | null;
  readonly severity: Severity | null;
  /** When it began to fire. */
  readonly startsAt: number;
  /** `level`: it got worse and others are told of that, so nothing is over here. */
  readonly mutedBy: "silence" | "inhibition" | "level" | null;
  /** It did not recover: its rule was edited. */
  readonly endedByEdit: boolean;
  /** Recently told over, for this level or a stricter one; null: not. */
  readonly coolingUntil: number | null;
  /** It fires on at a level that does not concern this receiver. */
  readonly isDowngraded?: boolean;
  /** Level last told to anybody. */
  readonly toldElsewhere?: string | null;
}

/** What a receiver was told of a group, and when it may hear of it again. Plain JSON, stored as it is. */
export interface GroupState {
  readonly createdAt: number;
  /** Creation + wait, then an interval later each time, whether or not anything was said. */
  readonly nextFlushAt: number;
  readonly lastSaidAt: number | null;
  /** Instance → level last told. */
  readonly told: Readonly<Record<string, string>>;
  /** The strictest level told since the group began. */
  readonly peak: string | null;
  /** Instances that a silence held back since they were last told. */
  readonly silenced: readonly string[];
  /** The last decision, and since when it has been this one. */
  readonly last: { readonly reason: SayReason; readonly at: number };
  /** Something about it went out in a message of its own: abroad an incident may stand open under its key. */
  readonly hasOwnNotice?: boolean;
}

export interface GroupTimers {
  readonly waitMs: number;
  readonly intervalMs: number;
  readonly repeatMs: number;
  readonly sendResolved: boolean;
}

export interface GroupSaying {
  readonly action: "trigger" | "resolve";
  readonly reason: SpokenReason;
  readonly firing: readonly Member[];
  /** Keys of instances that were told and are over. */
  readonly resolved: readonly string[];
}

export interface GroupStep {
  /** Null: nothing is left to remember. The same object as before: nothing has changed. */
  readonly state: GroupState | null;
  readonly reason: SayReason;
  readonly say: GroupSaying | null;
}
