/**
 * Incidents: numbered, opened once a cause, answered, closed. Every move carries its own condition, so that of two
 * people one decides; who did what stands in the audit in the same transaction.
 */
import {
  type Incident,
  type IncidentFindings,
  type IncidentRole,
  type IncidentStatus,
  incidentNumber,
  respondBy,
} from "../alert/incident.js";
import type { PolicySet, Severity } from "../policy/policy.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

export interface NewIncident {
  readonly title: string;
  readonly severity: Severity;
  /** `<system>/<rule>/<group>`; null: a person saw it. */
  readonly causeKey: string | null;
  readonly by: string;
  readonly startedAt: Date;
  readonly now: Date;
}

interface IncidentRow extends Omit<Incident, "findings"> {
  readonly symptoms: string | null;
  readonly rootCause: string | null;
  readonly resolution: string | null;
  readonly prevention: string | null;
}

const COLUMNS = `i.number, i.title, i.severity, i.status, i.cause_key AS "causeKey", i.opened_by AS "openedBy",
  i.opened_at AS "openedAt", i.started_at AS "startedAt", i.acknowledged_by AS "acknowledgedBy",
  i.acknowledged_at AS "acknowledgedAt", i.closed_by AS "closedBy", i.resolved_at AS "resolvedAt",
  i.closed_at AS "closedAt", i.respond_by AS "respondBy", i.symptoms, i.root_cause AS "rootCause",
  i.resolution, i.prevention, i.post_mortem_due AS "postMortemDue",
  (SELECT coalesce(jsonb_object_agg(r.role, r.person), '{}') FROM control.incident_role r
   WHERE r.incident_id = i.id) AS roles`;

/** The open incident of the same cause, if there is one: several receivers are paged for one trouble. */
export async function openIncident(
  tx: Sql,
  wish: NewIncident,
  { routes }: Pick<PolicySet, "routes">,
): Promise<{ readonly number: string; readonly isNew: boolean }> {
  const known = await readOpenOf(tx, wish.causeKey);
  if (known !== null) return { number: known, isNew: false };
  const number = await nextNumber(tx, wish.now);
  const { rows } = await tx.query<{ number: string }>(
    `INSERT INTO control.incident (number, title, severity, cause_key, opened_by, opened_at, started_at, respond_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (cause_key) WHERE status <> 'closed' AND cause_key IS NOT NULL DO NOTHING RETURNING number`,
    [
      ...[number, wish.title, wish.severity, wish.causeKey, wish.by, wish.now, wish.startedAt],
      respondBy(wish.severity, wish.now, routes.severities),
    ],
  );
  // Another opened it in this moment: its number is theirs, and ours stays unused.
  if (rows.length === 0)
    return { number: (await readOpenOf(tx, wish.causeKey)) ?? number, isNew: false };
  const details = { title: wish.title, severity: wish.severity, cause: wish.causeKey };
  await appendAudit(tx, { actor: wish.by, action: "incident.opened", target: number, details });
  return { number, isNew: true };
}

async function readOpenOf(sql: Sql, causeKey: string | null): Promise<string | null> {
  if (causeKey === null) return null;
  const { rows } = await sql.query<{ number: string }>(
    "SELECT number FROM control.incident WHERE cause_key = $1 AND status <> 'closed'",
    [causeKey],
  );
  return rows[0]?.number ?? null;
}

/** The day's row is held until the commit, so two at once get two numbers. */
async function nextNumber(tx: Sql, now: Date): Promise<string> {
  const day = now.toISOString().slice(0, 10);
  const { rows } = await tx.query<{ last: number }>(
    `INSERT INTO control.incident_day AS d (day, last) VALUES ($1, 1)
     ON CONFLICT (day) DO UPDATE SET last = d.last + 1 RETURNING last`,
    [day],
  );
  return incidentNumber(day, rows[0]!.last);
}

export interface Act {
  readonly by: string;
  readonly now: Date;
}

/** False when it is not open any more: somebody was quicker, or there is none of this number. */
export async function acknowledgeIncident(tx: Sql, number: string, act: Act): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.incident SET status = 'acknowledged', acknowledged_by = $2, acknowledged_at = $3
     WHERE number = $1 AND status = 'open'`,
    [number, act.by, act.now],
  );
  if (rowCount !== 1) return false;
  await appendAudit(tx, { actor: act.by, action: "incident.acknowledged", target: number });
  return true;
}

/** False when it is closed, or there is none of this number. */
export async function setIncidentRole(
  tx: Sql,
  number: string,
  given: { readonly role: IncidentRole; readonly person: string },
  act: Act,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO control.incident_role (incident_id, role, person, by, at)
     SELECT id, $2, $3, $4, $5 FROM control.incident WHERE number = $1 AND status <> 'closed'
     ON CONFLICT (incident_id, role) DO UPDATE SET person = excluded.person, by = excluded.by, at = excluded.at`,
    [number, given.role, given.person, act.by, act.now],
  );
  if (rowCount !== 1) return false;
  const details = { role: given.role, person: given.person };
  await appendAudit(tx, { actor: act.by, action: "incident.role-given", target: number, details });
  return true;
}

/** False when there is none of this number. The same `key` again is the same note. */
export async function noteIncident(
  sql: Sql,
  number: string,
  note: { readonly text: string; readonly door: string; readonly key?: string | undefined },
  act: Act,
): Promise<boolean> {
  const { rows } = await sql.query(
    `WITH i AS (SELECT id FROM control.incident WHERE number = $1), noted AS (
       INSERT INTO control.incident_note (incident_id, at, by, door, text, key)
       SELECT id, $2, $3, $4, $5, $6 FROM i ON CONFLICT (incident_id, key) DO NOTHING)
     SELECT FROM i`,
    [number, act.now, act.by, note.door, note.text, note.key ?? null],
  );
  return rows.length === 1;
}

export interface Closing {
  readonly findings: IncidentFindings;
  readonly resolvedAt: Date;
  /** LB-slo-02; null: none is asked for. */
  readonly postMortemDue: Date | null;
}

/** Null when it is closed already, or there is none of this number. */
export async function closeIncident(
  tx: Sql,
  number: string,
  { findings, resolvedAt, postMortemDue }: Closing,
  act: Act,
): Promise<Incident | null> {
  const { rowCount } = await tx.query(
    `UPDATE control.incident SET status = 'closed', closed_by = $2, closed_at = $3, resolved_at = $4,
       symptoms = $5, root_cause = $6, resolution = $7, prevention = $8, post_mortem_due = $9
     WHERE number = $1 AND status <> 'closed'`,
    [
      ...[number, act.by, act.now, resolvedAt, findings.symptoms, findings.rootCause],
      ...[findings.resolution, findings.prevention, postMortemDue],
    ],
  );
  if (rowCount !== 1) return null;
  const details = { resolved_at: resolvedAt.toISOString(), post_mortem_due: isoOf(postMortemDue) };
  await appendAudit(tx, { actor: act.by, action: "incident.closed", target: number, details });
  return readIncident(tx, number);
}

function isoOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

/** False when it is not closed: there is nothing to take back. */
export async function reopenIncident(tx: Sql, number: string, act: Act): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.incident SET closed_by = NULL, closed_at = NULL, resolved_at = NULL, post_mortem_due = NULL,
       status = CASE WHEN acknowledged_at IS NULL THEN 'open' ELSE 'acknowledged' END
     WHERE number = $1 AND status = 'closed'
       AND NOT EXISTS (SELECT FROM control.incident o
                       WHERE o.cause_key = control.incident.cause_key AND o.status <> 'closed')`,
    [number],
  );
  if (rowCount !== 1) return false;
  await appendAudit(tx, { actor: act.by, action: "incident.reopened", target: number });
  return true;
}

export async function readIncident(sql: Sql, number: string): Promise<Incident | null> {
  const { rows } = await sql.query<IncidentRow>(
    `SELECT ${COLUMNS} FROM control.incident i WHERE i.number = $1`,
    [number],
  );
  return rows[0] ? toIncident(rows[0]) : null;
}

const LIST_MAX = 200;

/** Open ones first, then newest first; at most 200. */
export async function listIncidents(
  sql: Sql,
  filter: { readonly statuses?: readonly IncidentStatus[] | undefined; readonly limit: number },
): Promise<Incident[]> {
  const { rows } = await sql.query<IncidentRow>(
    `SELECT ${COLUMNS} FROM control.incident i WHERE $1::text[] IS NULL OR i.status = ANY ($1)
     ORDER BY i.status = 'closed', i.opened_at DESC, i.id DESC LIMIT $2`,
    [filter.statuses ?? null, Math.min(filter.limit, LIST_MAX)],
  );
  return rows.map(toIncident);
}

function toIncident(row: IncidentRow): Incident {
  const { symptoms, rootCause, resolution, prevention, ...rest } = row;
  const findings =
    rest.status === "closed"
      ? {
          symptoms: symptoms ?? "",
          rootCause: rootCause ?? "",
          resolution: resolution ?? "",
          prevention: prevention ?? "",
        }
      : null;
  return { ...rest, findings };
}
