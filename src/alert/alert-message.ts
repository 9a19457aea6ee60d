/** The words about an alert: generated from rule, level, value and age, never written into a policy. */
import { formatDuration } from "../base/duration.js";
import type { JsonObject } from "../base/json.js";
import type { Message, MessageField, MessageTone } from "../message/message.js";
import type { AlertLevel, AlertRule, PolicySet, Severity, Unit } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import { WHOLE } from "./instance.js";
import type { SpokenReason } from "./notice.js";
import type { InstanceState } from "./state.js";

/** The part of the policies that a message speaks of. */
export type MessagePolicy = Pick<PolicySet, "system" | "metrics" | "runbooks">;

export interface AlertNews {
  readonly rule: AlertRule;
  /** The level it is about; null when the rule no longer has it. */
  readonly level: AlertLevel | null;
  readonly severity: Severity;
  readonly instance: string;
  readonly state: InstanceState;
  readonly reason: SpokenReason;
  readonly policy: MessagePolicy;
}

export const OPENING: Readonly<Record<SpokenReason, string>> = {
  "first-notification": "",
  "new-alert": "",
  upgraded: "Worse: ",
  downgraded: "Better, not over: ",
  "repeat-interval-elapsed": "Still firing: ",
  "silence-ended": "No longer silenced, still firing: ",
  "some-resolved": "Fewer, not over: ",
  resolved: "Resolved: ",
  "rule-edited": "Ended, its rule was changed: ",
  "rule-removed": "Ended, its rule was removed: ",
};

export function alertMessage(news: AlertNews): Message {
  const { rule, level, severity, instance } = news;
  const where = instance === WHOLE ? "" : ` (${instance})`;
  return {
    tone: toneOf(news.reason, news.severity),
    // The whole story in one line: it is all that a phone shows, and automation matches the rule's name in it.
    title: `${OPENING[news.reason]}${severity.toUpperCase()} ${rule.name}${where}: ${rule.summary}`,
    fields: fieldsOf(news),
    footer: `${level?.id ?? rule.name} · ${rule.name}/${instance} · ${news.reason}`,
  };
}

/** The same facts for machines: webhooks and PagerDuty's custom details. */
export function alertDetails(news: AlertNews): JsonObject {
  const { rule, level, state } = news;
  return {
    rule: rule.name,
    level: level?.id ?? null,
    severity: news.severity,
    instance: news.instance,
    labels: { ...state.labels },
    value: state.value,
    threshold: level ? condition(level, unitOf(news)) : null,
    since: state.since === null ? null : new Date(state.since).toISOString(),
    runbook: level?.runbook ?? null,
    reason: news.reason,
  };
}

export function toneOf(reason: SpokenReason, severity: Severity): MessageTone {
  if (reason === "resolved") return "good";
  if (reason === "rule-edited" || reason === "rule-removed") return "info";
  return severity === "sev1" || severity === "sev2" ? "bad" : "warning";
}

function fieldsOf(news: AlertNews): MessageField[] {
  const { level, state } = news;
  const unit = unitOf(news);
  const fields = [{ label: "Value", value: valueText(state, unit) }];
  if (level) fields.push({ label: "Fires", value: condition(level, unit) });
  if (state.since !== null) {
    fields.push({ label: "Since", value: new Date(state.since).toISOString() });
  }
  if (level) fields.push({ label: "First runbook", value: runbookText(level, news.policy) });
  return fields;
}

export function valueText({ value, valueAt, tickAt }: InstanceState, unit: Unit): string {
  const text = value === null ? "no data yet" : formatValue(value, unit);
  return valueAt === tickAt ? text : `${text} (no data now)`;
}

function condition(level: AlertLevel, unit: Unit): string {
  const lasting = level.forMs > 0 ? ` for ${formatDuration(level.forMs)}` : "";
  return `${level.op} ${formatValue(level.value, unit)}${lasting}`;
}

/** A planned runbook is named, so that people know it is coming, and never looks as if it could run. */
function runbookText(level: AlertLevel, { runbooks }: MessagePolicy): string {
  if (level.runbook === null) return "none";
  return runbooks[level.runbook] === "built"
    ? level.runbook
    : `no runbook yet (${level.runbook} is planned)`;
}

export function unitOf({ rule, policy }: Pick<AlertNews, "rule" | "policy">): Unit {
  const { signal } = rule;
  if (signal.form === "ratio" || signal.form === "div") return "ratio";
  if (signal.form === "age") return "s";
  if (signal.form === "burn") return "count";
  if (signal.form === "agg" && signal.fn === "count") return "count";
  return policy.metrics[selectorsOf(signal)[0]!.metric]?.unit ?? "count";
}

/** Four digits are enough for a phone at night; a ratio stays the fraction that the policy writes. */
export function formatValue(value: number, unit: Unit): string {
  const short = String(Number(value.toPrecision(4)));
  switch (unit) {
    case "ms":
    case "s":
      return `${short} ${unit}`;
    case "bytes":
      return `${short} bytes`;
    case "perMinute":
      return `${short}/min`;
    default:
      return short;
  }
}
