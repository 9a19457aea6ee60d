/** Incidents as the API shows them. */
import { durationOf, INCIDENT_ROLES, INCIDENT_STATUSES, type Incident } from "../alert/incident.js";
import { closed, Type } from "../base/type.js";
import { SEVERITIES } from "../policy/policy.js";
import { Nullable, Time } from "./schema.js";

export const IncidentSchema = Type.Object({
  number: Type.String({ examples: ["INC-2026-11-22-001"] }),
  title: Type.String(),
  severity: Type.String({ enum: [...SEVERITIES] }),
  status: Type.String({ enum: [...INCIDENT_STATUSES] }),
  cause_key: Nullable(Type.String()),
  opened_by: Type.String(),
  opened_at: Time,
  started_at: Time,
  respond_by: Time,
  acknowledged_by: Nullable(Type.String()),
  acknowledged_at: Nullable(Time),
  closed_by: Nullable(Type.String()),
  resolved_at: Nullable(Time),
  closed_at: Nullable(Time),
  duration: Nullable(Type.String({ description: "from start to resolution, e.g. 1h5m" })),
  symptoms: Nullable(Type.String()),
  root_cause: Nullable(Type.String()),
  resolution: Nullable(Type.String()),
  prevention: Nullable(Type.String()),
  post_mortem_due: Nullable(Time),
  roles: Type.Record(Type.String(), Type.String()),
});

export function toIncidentDocument(incident: Incident) {
  const { findings } = incident;
  return {
    number: incident.number,
    title: incident.title,
    severity: incident.severity,
    status: incident.status,
    cause_key: incident.causeKey,
    opened_by: incident.openedBy,
    opened_at: incident.openedAt.toISOString(),
    started_at: incident.startedAt.toISOString(),
    respond_by: incident.respondBy.toISOString(),
    acknowledged_by: incident.acknowledgedBy,
    acknowledged_at: isoOf(incident.acknowledgedAt),
    closed_by: incident.closedBy,
    resolved_at: isoOf(incident.resolvedAt),
    closed_at: isoOf(incident.closedAt),
    duration: durationOf(incident),
    symptoms: findings?.symptoms ?? null,
    root_cause: findings?.rootCause ?? null,
    resolution: findings?.resolution ?? null,
    prevention: findings?.prevention ?? null,
    post_mortem_due: isoOf(incident.postMortemDue),
    roles: incident.roles,
  };
}

function isoOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

const Finding = Type.String({ minLength: 3, maxLength: 4_000 });

export const NewIncidentSchema = Type.Object(
  {
    title: Type.String({ minLength: 3, maxLength: 200 }),
    severity: Type.String({ enum: [...SEVERITIES] }),
    started_at: Type.Optional(
      Type.String({ format: "date-time", description: "when the trouble began; default: now" }),
    ),
  },
  closed,
);

export const RoleSchema = Type.Object(
  {
    role: Type.String({ enum: [...INCIDENT_ROLES] }),
    person: Type.String({ minLength: 1, maxLength: 100 }),
  },
  closed,
);

export const NoteSchema = Type.Object(
  {
    text: Type.String({ minLength: 1, maxLength: 4_000 }),
    key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "the same key is the same note" }),
    ),
  },
  closed,
);

export const CloseSchema = Type.Object(
  {
    symptoms: Finding,
    root_cause: Finding,
    resolution: Finding,
    prevention: Finding,
    resolved_at: Type.Optional(
      Type.String({ format: "date-time", description: "when it was over; default: now" }),
    ),
  },
  closed,
);
