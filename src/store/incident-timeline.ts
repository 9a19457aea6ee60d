/** What happened during an incident, read where it stands: alerts, pages, runs, policies, decisions, notes. */
import type { Incident } from "../alert/incident.js";
import { mergeTimeline, type TimelineEntry, type TimelineSource } from "../alert/timeline.js";
import { MINUTE_MS } from "../base/duration.js";
import type { Sql } from "./database.js";

/** What led to it is part of the story. */
const BEFORE_MS = 15 * MINUTE_MS;
/** Of each source. */
const ROWS_MAX = 200;

interface Row {
  readonly at: Date;
  readonly text: string;
  readonly by: string | null;
}

/** Each: `$1` from, `$2` to (excluded), `$3` the incident's number. */
const SOURCES: Readonly<Record<TimelineSource, string>> = {
  incident: `SELECT created_at AS at, replace(action, 'incident.', '') ||
      coalesce(': ' || (details->>'role') || ' is ' || (details->>'person'), '') AS text, actor AS by
    FROM public.audit_log WHERE target = $3 AND created_at >= $1 AND created_at < $2`,
  alert: `SELECT at, coalesce(severity || ' ', '') || rule || coalesce(' (' || level || ')', '') || ' ' || instance ||
      ': ' || transition || coalesce(' at ' || value::text, '') AS text, NULL AS by
    FROM control.alert_event WHERE at >= $1 AND at < $2 AND transition <> ALL ('{pending,pending-ended}')`,
  page: `SELECT sent_at AS at, action || ' to ' || receiver || ': ' || coalesce(message->>'title', source) AS text,
      NULL AS by
    FROM control.notice WHERE status = 'sent' AND sent_at >= $1 AND sent_at < $2 AND severity IN ('sev1', 'sev2')`,
  run: `SELECT coalesce(ended_at, started_at, requested_at) AS at,
      id || ' ' || runbook || ' ' || status || coalesce(': ' || outcome, '') AS text, actor AS by
    FROM control.run WHERE requested_at >= $1 AND requested_at < $2 AND NOT dry_run`,
  policy: `SELECT created_at AS at, 'policy revision ' || revision || ' came into force' ||
      coalesce(', commit ' || left(commit, 12), '') AS text, NULL AS by
    FROM control.policy_revision WHERE created_at >= $1 AND created_at < $2`,
  note: `SELECT n.at, n.text, n.by FROM control.incident_note n JOIN control.incident i ON i.id = n.incident_id
    WHERE i.number = $3 AND n.at >= $1 AND n.at < $2`,
};

/** Oldest first; of each source the first 200. */
export async function readTimeline(
  sql: Sql,
  { number, startedAt, closedAt }: Incident,
  now: Date,
): Promise<TimelineEntry[]> {
  const from = new Date(startedAt.getTime() - BEFORE_MS);
  // A note on the closed incident still belongs to it; what else happens then does not.
  const to = closedAt === null ? new Date(now.getTime() + 1) : new Date(closedAt.getTime() + 1);
  const parts: TimelineEntry[][] = [];
  for (const [source, statement] of Object.entries(SOURCES) as [TimelineSource, string][]) {
    const isOurs = source === "note" || source === "incident";
    const { rows } = await sql.query<Row>(
      `SELECT * FROM (${statement}) AS of_source WHERE $3::text IS NOT NULL ORDER BY at LIMIT ${ROWS_MAX}`,
      [from, isOurs ? new Date(now.getTime() + 1) : to, number],
    );
    parts.push(rows.map((row) => ({ ...row, source })));
  }
  return mergeTimeline(...parts);
}
