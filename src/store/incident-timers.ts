/** Incidents that nobody has answered, and reviews that are overdue. */
import type { Incident } from "../alert/incident.js";
import type { Sql } from "./database.js";
import { readIncident } from "./incidents.js";

export interface LateIncident {
  readonly incident: Incident;
  /** Steps of the escalation that were told. */
  readonly told: number;
}

const AT_ONCE_MAX = 100;

/** Open, and past the time by which somebody answers; oldest first. Locked until the commit: two look, one tells. */
export async function takeLateIncidents(tx: Sql, now: Date): Promise<LateIncident[]> {
  const { rows } = await tx.query<{ number: string; told: number }>(
    `SELECT number, reminded AS told FROM control.incident
     WHERE status = 'open' AND respond_by <= $1 ORDER BY opened_at LIMIT ${AT_ONCE_MAX} FOR UPDATE SKIP LOCKED`,
    [now],
  );
  const late: LateIncident[] = [];
  for (const { number, told } of rows) {
    const incident = await readIncident(tx, number);
    if (incident) late.push({ incident, told });
  }
  return late;
}

export async function noteEscalation(tx: Sql, number: string, told: number): Promise<void> {
  await tx.query("UPDATE control.incident SET reminded = $2 WHERE number = $1", [number, told]);
}

/** Reviews that are due and not held: one counts as held when its incident has a note `post-mortem: …`. */
export async function countOverdueReviews(sql: Sql, now: Date): Promise<number> {
  const { rows } = await sql.query<{ overdue: number }>(
    `SELECT count(*)::int AS overdue FROM control.incident i
     WHERE post_mortem_due <= $1 AND NOT EXISTS (
       SELECT FROM control.incident_note n WHERE n.incident_id = i.id AND n.text ILIKE 'post-mortem:%')`,
    [now],
  );
  return rows[0]!.overdue;
}
