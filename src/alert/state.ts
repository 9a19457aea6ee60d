/**
 * What is remembered of an alert between two ticks. Plain JSON: it is stored as it is, always restored,
 * and a restart changes nothing. Times are milliseconds since the epoch.
 */
import { canonicalJson } from "../base/json.js";
import type { AlertLevel, AlertRule, Comparison, Severity } from "../policy/policy.js";
import type { Labels } from "./instance.js";

export interface LevelState {
  readonly phase: "pending" | "firing";
  /** When the condition began to hold; moved on by ticks without data, which count for nothing. */
  readonly activeAt: number;
  /** While firing: since when the value is on the recovery side. */
  readonly recoveringSince: number | null;
  /** The comparison this was judged by: another one starts afresh. */
  readonly op: Comparison;
}

/** What people were told, so that nobody is told twice, and everyone told is told the end. */
export interface Told {
  /** Level last told, and the strictest told since the alert began. */
  readonly level: string;
  readonly peak: string;
  readonly severity: Severity;
  readonly at: number;
  /** Receivers that know of it and have not been told that it ended. */
  readonly receivers: readonly string[];
}

export interface InstanceState {
  /** Fingerprint of what is measured; a rule that measures something else starts afresh. */
  readonly shape: string;
  readonly labels: Labels;
  readonly knownSince: number;
  readonly tickAt: number;
  /** The last value that was seen, and at which tick. */
  readonly value: number | null;
  readonly valueAt: number | null;
  /** By level id; a level that is not active has no entry. */
  readonly levels: Readonly<Record<string, LevelState>>;
  /** Of levels with `mOf`, by ringKey: their newest points (m-of-n.ts), newest last. */
  readonly rings?: Readonly<Record<string, string>> | undefined;
  /** The tick had a value. A row is written when its memory changes: restoreState moves the clocks of the ticks between. */
  readonly seen?: boolean | undefined;
  /** The tick had no value, and clocks stood still. Absent: they did not. */
  readonly held?: boolean | undefined;
  /** The strictest firing level: the one that counts. */
  readonly level: string | null;
  readonly severity: Severity | null;
  /** When the condition of that level began. */
  readonly since: number | null;
  /** Level at which this firing began, and when it began to fire. */
  readonly begun: { readonly level: string; readonly at: number } | null;
  /** The rule was edited under a firing alert: it did not recover, it is no longer asked for. */
  readonly endedByEdit: boolean;
  readonly told: Told | null;
  /** The last told end, for the cool-down. */
  readonly cooling: { readonly level: string; readonly at: number } | null;
}

/** By instance key. */
export type RuleState = Readonly<Record<string, InstanceState>>;

export const TRANSITIONS = [
  "pending",
  "pending-ended",
  "fired",
  "upgraded",
  "downgraded",
  "resolved",
  "ended-by-edit",
] as const;

export interface Transition {
  readonly rule: string;
  readonly instance: string;
  readonly labels: Labels;
  readonly kind: (typeof TRANSITIONS)[number];
  /** The level entered, or the one that was left. */
  readonly level: string;
  readonly severity: Severity;
  /** Null: there was no data. */
  readonly value: number | null;
  readonly at: number;
}

/** Changes exactly when `signal`, `combine` or `by` do: thresholds and times may be tuned under fire. */
export function shapeOf(rule: AlertRule): string {
  return canonicalJson({ signal: rule.signal, combine: rule.combine, by: rule.by });
}

/** Points were judged by one comparison: under another one they are none. */
export function ringKey({ id, op }: Pick<AlertLevel, "id" | "op">): string {
  return `${id} ${op}`;
}

/** Place of a level in its rule, strictest last; -1 for none or one that the rule no longer has. */
export function levelIndex(rule: AlertRule, id: string | null): number {
  return rule.levels.findIndex((level) => level.id === id);
}
