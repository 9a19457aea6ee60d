/** What a group has to say → the notice of its receiver. */
import {
  type AlertLevel,
  type AlertRule,
  type PolicySet,
  SEVERITIES,
  type Severity,
} from "../policy/policy.js";
import { alertDetails, alertMessage } from "./alert-message.js";
import type { GroupSaying } from "./group.js";
import { groupDetails, groupMessage } from "./group-message.js";
import type { SpokenReason } from "./notice.js";
import type { Delivery } from "./port.js";
import { levelIndex, type RuleState } from "./state.js";

export type NoticeWords = Pick<Delivery, "message" | "details">;

/** All but the words: what goes into a digest needs none of its own. */
export interface NoticeHead extends Omit<Delivery, "receiver" | "noticeId" | keyof NoticeWords> {
  /** Name in routes.yaml. */
  readonly receiver: string;
  readonly groupKey: string;
  readonly reason: SpokenReason;
  /** The strictest level it is about; null when the rule no longer has it. */
  readonly level: string | null;
  /** Keys of the instances it speaks of. */
  readonly instances: readonly string[];
}

export type PlannedNotice = NoticeHead & NoticeWords;

export type NoticePolicy = Pick<PolicySet, "system" | "metrics" | "runbooks" | "routes">;

export interface NoticeInput {
  readonly rule: AlertRule;
  readonly receiver: string;
  readonly groupKey: string;
  readonly say: GroupSaying;
  /** As the step left it, with what was told before this. */
  readonly state: RuleState;
  readonly policy: NoticePolicy;
}

export function planNotice(input: NoticeInput): NoticeHead {
  const { receiver, groupKey, say, rule, policy } = input;
  const { level, severity } = worstOf(input);
  const instances = [...say.firing.map(({ instance }) => instance), ...say.resolved];
  return {
    ...{ receiver, groupKey, severity, instances },
    dedupKey: `${policy.system}/${groupKey}`,
    action: say.action,
    source: `${policy.system}/${rule.name}`,
    reason: say.reason,
    level: level?.id ?? null,
    alerts: instances.length,
  };
}

interface Worst {
  readonly level: AlertLevel | null;
  readonly severity: Severity;
}

/** Of what fires; of an end, of what was told. */
function worstOf({ rule, say, state }: NoticeInput): Worst {
  const told = say.resolved.flatMap((instance) => state[instance]?.told ?? []);
  const known =
    say.firing.length > 0
      ? say.firing.map(({ level, severity }) => ({ level, severity: severity! }))
      : told;
  const place = Math.max(-1, ...known.map(({ level }) => levelIndex(rule, level)));
  const severities = known.map(({ severity }) => severity);
  const severity = SEVERITIES.find((one) => severities.includes(one)) ?? "sev4";
  return { level: rule.levels[place] ?? null, severity };
}

/** An alert alone is told whole; several share a message. */
export function wordsOf(input: NoticeInput): NoticeWords {
  const { rule, say, state, policy, groupKey } = input;
  const { level, severity } = worstOf(input);
  const [instance, ...others] = [...say.firing.map((one) => one.instance), ...say.resolved];
  const only = others.length === 0 && instance !== undefined ? state[instance] : undefined;
  if (!only || instance === undefined) {
    const news = { rule, level, severity, groupKey, say, state, policy };
    return { message: groupMessage(news), details: groupDetails(news) };
  }
  const { reason } = say;
  const news = { rule, level, severity, instance, state: only, reason, policy };
  return { message: alertMessage(news), details: alertDetails(news) };
}
