/** A decision to speak → who is told what, and what we remember of having told it. */
import type { AlertLevel, AlertRule, PolicySet, Severity } from "../policy/policy.js";
import { alertDetails, alertMessage } from "./alert-message.js";
import { dedupKeyOf } from "./instance.js";
import {
  type DecidedReason,
  decideNotice,
  isSpoken,
  type NoticeReason,
  type SpokenReason,
} from "./notice.js";
import type { Delivery } from "./port.js";
import { type InstanceState, levelIndex, type Told } from "./state.js";

export interface PlannedNotice extends Omit<Delivery, "receiver" | "noticeId" | "alerts"> {
  /** Name in routes.yaml. */
  readonly receiver: string;
  readonly reason: SpokenReason;
}

export type NoticePolicy = Pick<PolicySet, "system" | "metrics" | "runbooks" | "routes">;

export interface NoticeInput {
  readonly rule: AlertRule;
  readonly instance: string;
  readonly state: InstanceState;
  readonly policy: NoticePolicy;
  readonly now: Date;
}

export interface NoticePlan {
  readonly reason: NoticeReason;
  readonly notices: readonly PlannedNotice[];
  /** The state with the memory of what was told. */
  readonly state: InstanceState;
}

export function planNotices(input: NoticeInput): NoticePlan {
  const { state } = input;
  const reason = decideNotice(input.rule, state, input.now.getTime());
  if (!isSpoken(reason)) return { reason, notices: [], state };
  return state.level === null ? planEnd(input, reason) : planTrigger(input, reason);
}

function planTrigger(input: NoticeInput, reason: DecidedReason): NoticePlan {
  const { rule, state } = input;
  const level = rule.levels[levelIndex(rule, state.level)]!;
  const known = state.told?.receivers ?? [];
  // Who is not concerned by the milder level hears that theirs is over; when it gets worse, nothing is over.
  const left = reason === "downgraded" ? known.filter((name) => !level.notify.includes(name)) : [];
  const notices = [
    ...level.notify.map((name) => noticeTo(input, name, "trigger", level, level.severity, reason)),
    ...left.map((name) => noticeTo(input, name, "resolve", level, level.severity, reason)),
  ];
  const receivers = [...new Set([...known, ...level.notify])].filter((one) => !left.includes(one));
  return { reason, notices, state: { ...state, told: toldNow(input, level, receivers) } };
}

function toldNow(input: NoticeInput, level: AlertLevel, receivers: readonly string[]): Told {
  const { rule, state, now } = input;
  const peak = state.told?.peak ?? level.id;
  const isNewPeak = levelIndex(rule, level.id) > levelIndex(rule, peak);
  return {
    level: level.id,
    peak: isNewPeak ? level.id : peak,
    severity: level.severity,
    at: now.getTime(),
    receivers,
  };
}

function planEnd(input: NoticeInput, reason: DecidedReason): NoticePlan {
  const { rule, state, now } = input;
  const told = state.told!;
  const level = rule.levels[levelIndex(rule, told.level)] ?? null;
  const notices = told.receivers.map((name) =>
    noticeTo(input, name, "resolve", level, told.severity, reason),
  );
  const cooling = { level: told.peak, at: now.getTime() };
  return { reason, notices, state: { ...state, told: null, cooling } };
}

function noticeTo(
  input: NoticeInput,
  receiver: string,
  action: PlannedNotice["action"],
  level: AlertLevel | null,
  severity: Severity,
  reason: DecidedReason,
): PlannedNotice {
  const { rule, instance, policy } = input;
  const news = { ...input, level, severity, reason };
  return {
    receiver,
    dedupKey: dedupKeyOf(policy.system, rule.name, instance),
    action,
    severity,
    source: `${policy.system}/${rule.name}`,
    message: alertMessage(news),
    details: alertDetails(news),
    reason,
  };
}
