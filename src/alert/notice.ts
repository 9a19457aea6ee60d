/**
 * Whether to speak about an alert now, and why: one pure decision with a name, for "yes" and for "no".
 * Limits what people hear, never what is recorded.
 */
import type { AlertRule } from "../policy/policy.js";
import { type InstanceState, levelIndex, type Told } from "./state.js";

/** We speak. */
const SPOKEN_REASONS = [
  "first-notification",
  "upgraded",
  "downgraded",
  "repeat-interval-elapsed",
  "resolved",
  "rule-edited",
  "rule-removed",
] as const;
/** We do not. */
const WITHHELD_REASONS = [
  "nothing-changed",
  "no-receiver",
  "cooldown",
  "group-wait",
  "group-interval",
] as const;

export type SpokenReason = (typeof SPOKEN_REASONS)[number];
/** Those that a rule in force can lead to. */
export type DecidedReason = Exclude<SpokenReason, "rule-removed">;
export type NoticeReason = DecidedReason | (typeof WITHHELD_REASONS)[number];

export function isSpoken(reason: NoticeReason): reason is DecidedReason {
  return (SPOKEN_REASONS as readonly string[]).includes(reason);
}

/** `now` in milliseconds since the epoch. */
export function decideNotice(rule: AlertRule, state: InstanceState, now: number): NoticeReason {
  const { told } = state;
  if (state.level === null) return told ? decideEnd(rule, state, told, now) : "nothing-changed";
  if (!told) return decideFirst(rule, state, now);
  const step = levelIndex(rule, state.level) - levelIndex(rule, told.level);
  if (step > 0) return "upgraded";
  if (step < 0) return isTooSoon(rule, told, now) ? "group-interval" : "downgraded";
  return now >= told.at + rule.repeatMs ? "repeat-interval-elapsed" : "nothing-changed";
}

function decideFirst(rule: AlertRule, state: InstanceState, now: number): NoticeReason {
  const level = rule.levels[levelIndex(rule, state.level)];
  if (!level || level.notify.length === 0) return "no-receiver";
  if (isCooling(rule, state, now)) return "cooldown";
  // What fires and ends inside the wait is recorded, and wakes nobody.
  if (state.begun && now < state.begun.at + rule.groupWaitMs) return "group-wait";
  return "first-notification";
}

/** Recently told over, for this level or a stricter one. Getting worse than that is always news. */
function isCooling(rule: AlertRule, state: InstanceState, now: number): boolean {
  const { cooling, begun } = state;
  if (!cooling || now >= cooling.at + rule.cooldownMs) return false;
  const index = levelIndex(rule, state.level);
  const hasRisen = begun !== null && index > levelIndex(rule, begun.level);
  return !hasRisen && index <= levelIndex(rule, cooling.level);
}

function decideEnd(rule: AlertRule, state: InstanceState, told: Told, now: number): NoticeReason {
  if (isTooSoon(rule, told, now)) return "group-interval";
  return state.endedByEdit ? "rule-edited" : "resolved";
}

/** Good news may wait for the interval, so that flapping is one message; bad news may not. */
function isTooSoon(rule: AlertRule, told: Told, now: number): boolean {
  return now < told.at + rule.groupIntervalMs;
}
