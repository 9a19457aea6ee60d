/** The words of a digest: how many alerts of which rules, the first by name, and where all of them are listed. */
import type { JsonObject } from "../base/json.js";
import type { Message, MessageField } from "../message/message.js";
import { SEVERITIES, type Severity } from "../policy/policy.js";

/** Alerts of one rule and level that were folded. */
export interface FoldedAlerts {
  readonly rule: string;
  readonly level: string | null;
  readonly severity: Severity;
  readonly action: "trigger" | "resolve";
  readonly alerts: number;
  /** Of the first one. */
  readonly groupKey: string;
}

export interface DigestNews {
  readonly parts: readonly FoldedAlerts[];
  /** In a storm, or because the receiver heard enough for this minute. */
  readonly isStorm: boolean;
  readonly namedMax: number;
  /** Of the digest's notice: its list is read under it. */
  readonly noticeId: number;
}

/** The worst inside. */
export function digestSeverity(parts: readonly FoldedAlerts[]): Severity {
  return SEVERITIES.find((one) => parts.some(({ severity }) => severity === one)) ?? "sev4";
}

export function countAlerts(
  parts: readonly FoldedAlerts[],
  action?: FoldedAlerts["action"],
): number {
  const counted = action ? parts.filter((part) => part.action === action) : parts;
  return counted.reduce((sum, { alerts }) => sum + alerts, 0);
}

export function digestMessage({ parts, isStorm, namedMax, noticeId }: DigestNews): Message {
  const severity = digestSeverity(parts);
  const rules = new Set(parts.map(({ rule }) => rule)).size;
  const counts = [
    [countAlerts(parts, "trigger"), "firing"],
    [countAlerts(parts, "resolve"), "over"],
  ].flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`]));
  const why = isStorm ? "Storm of alerts" : "More alerts than one can read";
  const named = parts.slice(0, namedMax).map(toField);
  const more = parts.length - named.length;
  return {
    tone: severity === "sev1" || severity === "sev2" ? "bad" : "warning",
    title: `${why}: ${counts.join(", ")}, of ${rules} ${rules === 1 ? "rule" : "rules"} (${severity.toUpperCase()} at worst)`,
    text: "They are told here together, at most once a minute. None is left out.",
    fields: [...named, ...(more > 0 ? [{ label: "And more", value: `${more} kinds` }] : [])],
    footer: `all of them: GET /api/v1/alerts/digests/${noticeId}`,
  };
}

function toField({ rule, level, action, alerts, groupKey }: FoldedAlerts): MessageField {
  const first = alerts === 1 ? groupKey.slice(rule.length + 1) : `${alerts} alerts`;
  const over = action === "resolve" ? ", over" : "";
  return { label: `${rule}${level === null ? "" : ` (${level})`}`, value: `${first}${over}` };
}

/** For machines: the same counts, at most 50 kinds. */
export function digestDetails({ parts, isStorm, noticeId }: DigestNews): JsonObject {
  return {
    digest: noticeId,
    storm: isStorm,
    alerts: countAlerts(parts),
    kinds: parts.length,
    parts: parts.slice(0, DETAILED_MAX).map(({ rule, level, severity, action, alerts }) => ({
      ...{ rule, level, severity, action, alerts },
    })),
  };
}

const DETAILED_MAX = 50;

export function digestOverMessage(sum: {
  readonly digests: number;
  readonly alerts: number;
  readonly standing: number;
}): Message {
  const digests = sum.digests === 1 ? "one digest" : `${sum.digests} digests`;
  return {
    tone: sum.standing === 0 ? "good" : "info",
    title: `Storm over: ${sum.alerts} alerts in ${digests}, ${sum.standing} still firing`,
    text: "From now on each alert is told by itself again.",
  };
}
