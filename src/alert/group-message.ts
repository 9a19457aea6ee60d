/** The words about a group of several alerts: what they have in common, then each of the first ones. */
import type { JsonObject } from "../base/json.js";
import type { Message, MessageField } from "../message/message.js";
import type { AlertLevel, AlertRule, Severity } from "../policy/policy.js";
import { type MessagePolicy, OPENING, toneOf, unitOf, valueText } from "./alert-message.js";
import type { GroupSaying } from "./group.js";
import type { RuleState } from "./state.js";

export interface GroupNews {
  readonly rule: AlertRule;
  /** The strictest level it is about; null when the rule no longer has it. */
  readonly level: AlertLevel | null;
  readonly severity: Severity;
  readonly groupKey: string;
  readonly say: GroupSaying;
  readonly state: RuleState;
  readonly policy: MessagePolicy;
}

/** A phone shows no more; all stand in the details, up to their own bound. */
const NAMED_MAX = 10;
const DETAILED_MAX = 50;

export function groupMessage(news: GroupNews): Message {
  const { rule, level, severity, say } = news;
  const title = `${OPENING[say.reason]}${severity.toUpperCase()} ${rule.name}${countText(say)}: ${rule.summary}`;
  return {
    tone: toneOf(say.reason, severity),
    title,
    fields: fieldsOf(news),
    footer: `${level?.id ?? rule.name} · ${news.groupKey} · ${say.reason}`,
  };
}

function countText({ firing, resolved }: GroupSaying): string {
  const parts = [
    ...(firing.length > 0 ? [`${firing.length} firing`] : []),
    ...(resolved.length > 0 ? [`${resolved.length} over`] : []),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function fieldsOf({ rule, policy, level, say, state }: GroupNews): MessageField[] {
  const unit = unitOf({ rule, policy });
  const firing = say.firing.map((member): MessageField => {
    const now = state[member.instance];
    const value = now ? valueText(now, unit) : "no data";
    return { label: member.instance, value: `${value} (${member.level})` };
  });
  const over = say.resolved.map((label): MessageField => ({ label, value: "over" }));
  const all = [...firing, ...over];
  const more = all.length - NAMED_MAX;
  return [
    ...all.slice(0, NAMED_MAX),
    ...(more > 0 ? [{ label: "And more", value: String(more) }] : []),
    ...(level?.runbook ? [{ label: "First runbook", value: level.runbook }] : []),
  ];
}

/** The same for machines, at most 50 alerts of each sort. */
export function groupDetails({
  rule,
  level,
  severity,
  groupKey,
  say,
  state,
}: GroupNews): JsonObject {
  return {
    rule: rule.name,
    level: level?.id ?? null,
    severity,
    group: groupKey,
    reason: say.reason,
    firing: say.firing.length,
    resolved: say.resolved.length,
    alerts: [
      ...say.firing.slice(0, DETAILED_MAX).map(({ instance, labels, level: at, startsAt }) => ({
        ...{ status: "firing", instance, labels: { ...labels }, level: at },
        value: state[instance]?.value ?? null,
        since: new Date(startsAt).toISOString(),
      })),
      ...say.resolved
        .slice(0, DETAILED_MAX)
        .map((instance) => ({ status: "resolved", instance, level: null })),
    ],
  };
}
