/** What an incident is, by when somebody answers it, and what its record says (AM-inc-01, RB-95, RB-96). */
import { unreachable } from "../base/assert.js";
import { DAY_MS, formatDuration } from "../base/duration.js";
import type { Monitoring, Response, Routes, Severity } from "../policy/policy.js";

export const INCIDENT_STATUSES = ["open", "acknowledged", "closed"] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

export const INCIDENT_ROLES = ["commander", "communications", "operations", "scribe"] as const;
export type IncidentRole = (typeof INCIDENT_ROLES)[number];

/** What is known when it is over: exactly the parts of the incident log (AM-inc-01). */
export interface IncidentFindings {
  readonly symptoms: string;
  readonly rootCause: string;
  readonly resolution: string;
  readonly prevention: string;
}

export interface Incident {
  /** `INC-2026-11-22-001`: the day in UTC on which it was opened, and which of that day. */
  readonly number: string;
  readonly title: string;
  readonly severity: Severity;
  readonly status: IncidentStatus;
  /** `<system>/<rule>/<group>`: one open incident a cause; null: a person opened it. */
  readonly causeKey: string | null;
  readonly openedBy: string;
  readonly openedAt: Date;
  /** When the trouble began, which is before anybody knew. */
  readonly startedAt: Date;
  readonly acknowledgedBy: string | null;
  readonly acknowledgedAt: Date | null;
  readonly closedBy: string | null;
  /** When the trouble was over. */
  readonly resolvedAt: Date | null;
  readonly closedAt: Date | null;
  /** By when somebody must have answered. */
  readonly respondBy: Date;
  /** Null until it is closed. */
  readonly findings: IncidentFindings | null;
  readonly postMortemDue: Date | null;
  readonly roles: Readonly<Partial<Record<IncidentRole, string>>>;
}

/** `INC-2026-11-22-001`; more than 999 a day only make the number longer. */
export function incidentNumber(day: string, ordinal: number): string {
  return `INC-${day}-${String(ordinal).padStart(3, "0")}`;
}

/** AM-inc-01 knows three; ours maps onto them. */
const LOG_SEVERITY: Readonly<Record<Severity, string>> = {
  sev1: "High",
  sev2: "High",
  sev3: "Medium",
  sev4: "Low",
};

export function logSeverity(severity: Severity): string {
  return LOG_SEVERITY[severity];
}

/** Hour in UTC at which a business day ends. */
const DAY_ENDS_AT = 17;

/** Until when an answer is in time. Business days are Monday to Friday; holidays are not known here. */
export function respondBy(severity: Severity, openedAt: Date, severities: Routes["severities"]) {
  const response: Response = severities[severity];
  switch (response.by) {
    case "time":
      return new Date(openedAt.getTime() + response.withinMs);
    case "nextBusinessDay":
      return endOfNextBusinessDay(openedAt);
    default:
      return unreachable(response);
  }
}

function endOfNextBusinessDay(from: Date): Date {
  const day = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate()));
  do day.setTime(day.getTime() + DAY_MS);
  while (day.getUTCDay() === 0 || day.getUTCDay() === 6);
  day.setUTCHours(DAY_ENDS_AT);
  return day;
}

/**
 * Which steps of the escalation are due for an incident that nobody has answered: those whose time has passed since
 * it was opened, once the answer is late. Steps that were told are not told again.
 */
export function dueEscalation(
  incident: Pick<Incident, "status" | "openedAt" | "respondBy">,
  escalation: Routes["escalation"],
  told: number,
  now: Date,
): Routes["escalation"] {
  if (incident.status !== "open" || now < incident.respondBy) return [];
  const openMs = now.getTime() - incident.openedAt.getTime();
  const due = escalation.filter(({ afterMs }) => afterMs <= openMs).length;
  return escalation.slice(told, Math.max(due, 1));
}

/** How long the trouble lasted, in words; null: it is not over. */
export function durationOf({ startedAt, resolvedAt }: Pick<Incident, "startedAt" | "resolvedAt">) {
  if (resolvedAt === null) return null;
  const ms = Math.max(0, resolvedAt.getTime() - startedAt.getTime());
  return formatDuration(Math.round(ms / 1_000) * 1_000);
}

/** Until when the review of a closed incident is held (LB-slo-02); null: none is asked for. */
export function postMortemDue(
  severity: Severity,
  closedAt: Date,
  { postMortemFor, postMortemWithinMs }: Monitoring["incidents"],
): Date | null {
  if (!postMortemFor.includes(severity)) return null;
  return new Date(closedAt.getTime() + postMortemWithinMs);
}
