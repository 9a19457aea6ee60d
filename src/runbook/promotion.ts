/**
 * How far a runbook is trusted without a person. Earned by drills and by real runs that were verified, lost by a
 * failure of a run that nobody asked for (runbooks-chatops.md 4.10). Pure over its record.
 */
import {
  PROMOTION_LEVELS,
  type PromotionLevel,
  type PromotionRules,
} from "../policy/automation.js";

/** Of one content of a runbook's file, since it last lost a level or a person gave it a new start. */
export interface TrackRecord {
  /** Runs that were asked for as drills and succeeded. */
  readonly drills: number;
  /** Real runs that succeeded, whoever asked for them. */
  readonly verified: number;
  /** Different days with such a run, in UTC. */
  readonly days: number;
  /** Automatic runs that failed or were not verified. */
  readonly failed: number;
  /** Automatic runs of which nobody knows what they did. */
  readonly indeterminate: number;
  /** Automatic runs that failed in a row, the newest first. */
  readonly lastFailures: number;
}

export interface Promotion {
  readonly level: PromotionLevel;
  /** What has just come of it; null: it is what it was. */
  readonly change: "earned" | "lost" | null;
  /** In words, for people. */
  readonly reason: string;
  /** What the next level needs; null: there is none. */
  readonly missing: string | null;
}

/** @param before the level it had, with what the policy grants */
export function judgePromotion(
  record: TrackRecord,
  rules: PromotionRules,
  before: PromotionLevel,
): Promotion {
  if (record.lastFailures >= rules.demoteAfter && before !== "manual") {
    const level = PROMOTION_LEVELS[rankOf(before) - 1]!;
    const reason = `lost by ${count(record.lastFailures, "failure")} in a row`;
    return { level, change: "lost", reason, missing: missingFor(level, NOTHING, rules) };
  }
  const earned = record.lastFailures >= rules.demoteAfter ? "manual" : earnedBy(record, rules);
  const change = rankOf(earned) > rankOf(before) ? "earned" : null;
  const level = change === null ? before : earned;
  return { level, change, reason: inWords(record), missing: missingFor(level, record, rules) };
}

export function higherOf(one: PromotionLevel, other: PromotionLevel): PromotionLevel {
  return rankOf(one) >= rankOf(other) ? one : other;
}

const NOTHING: TrackRecord = {
  ...{ drills: 0, verified: 0, days: 0, failed: 0, indeterminate: 0, lastFailures: 0 },
};

function rankOf(level: PromotionLevel): number {
  return PROMOTION_LEVELS.indexOf(level);
}

function earnedBy(record: TrackRecord, rules: PromotionRules): PromotionLevel {
  if (lacks(record, rules.toAuto).length === 0) return "auto";
  return lacks(record, rules.toApprove).length === 0 ? "approve" : "manual";
}

function missingFor(
  level: PromotionLevel,
  record: TrackRecord,
  rules: PromotionRules,
): string | null {
  if (level === "auto") return null;
  const next = level === "manual" ? "approve" : "auto";
  const lacking = lacks(record, next === "auto" ? rules.toAuto : rules.toApprove);
  return `${next} needs ${lacking.join(", ") || "nothing more"}`;
}

type Needed = PromotionRules["toApprove"] & { readonly days?: number };

function lacks(record: TrackRecord, { drills, verified, days = 0 }: Needed): string[] {
  const parts: [number, string][] = [
    [drills - record.drills, "more drill"],
    [verified - record.verified, "more verified run"],
    [days - record.days, "more day"],
  ];
  const open = parts.filter(([left]) => left > 0);
  return open.map(
    ([left, what]) => `${count(left, what)}${what === "more day" ? " with one" : ""}`,
  );
}

function inWords({ drills, verified, days, failed, indeterminate }: TrackRecord): string {
  const bad = failed + indeterminate;
  return `${count(verified, "verified run")} on ${count(days, "day")}, ${count(drills, "drill")}${bad > 0 ? `, ${count(bad, "failure")} of automatic runs` : ""}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
