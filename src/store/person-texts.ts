/**
 * Where texts from outside are kept that may name a person: bodies of events, what jobs were asked and answered,
 * what was logged and said. One list, so that whoever takes a person out of them passes over none; the rows of
 * `identities` and `claims` themselves are in store/person-rows.ts.
 */
import type { Json } from "../base/json.js";
import type { Sql } from "./database.js";

export interface PersonTexts {
  readonly table: string;
  /** Primary key; the first column is a number and orders the walk. */
  readonly key: readonly [string, ...string[]];
  readonly json: readonly string[];
  readonly text: readonly string[];
  /** Rows that somebody works with at this moment are left: they are walked when they have ended. */
  readonly only?: string;
}

const JOBS: PersonTexts = {
  table: "public.jobs",
  key: ["seq"],
  json: ["payload", "result"],
  text: ["error"],
};

/** The foreign first, for they are many and name people most. */
export const PERSON_TEXTS: readonly PersonTexts[] = [
  { table: "public.events", key: ["id"], json: ["payload"], text: [] },
  { table: "control.inbound", key: ["id"], json: ["body"], text: ["outcome"] },
  {
    table: "control.job_attempt",
    key: ["job_seq", "fence"],
    json: [],
    text: ["error", "trace", "note"],
  },
  { table: "control.job_line", key: ["job_seq", "fence", "ordinal"], json: [], text: ["message"] },
  { table: "control.compensation", key: ["job_seq", "ordinal"], json: ["input"], text: [] },
  { table: "control.rollback", key: ["job_seq"], json: [], text: ["message"] },
  { table: "public.healdec_log", key: ["seq"], json: ["context"], text: [] },
  { table: "control.repair_record", key: ["id"], json: ["rows"], text: [] },
  { table: "control.identity_merge", key: ["id"], json: ["evidence"], text: [] },
  { table: "control.audit_finding", key: ["id"], json: ["examples"], text: [] },
  { table: "control.notice", key: ["id"], json: ["message", "details"], text: ["last_error"] },
  { table: "control.chat_post", key: ["id"], json: ["body"], text: ["last_error"] },
  {
    table: "control.run",
    key: ["seq"],
    json: ["params", "plan", "output"],
    text: ["reason", "outcome"],
    // What people agreed to is bound to plan and parameters.
    only: "status NOT IN ('queued', 'running')",
  },
  {
    table: "control.run_step",
    key: ["run_seq", "phase", "ordinal"],
    json: ["result"],
    text: ["output", "error"],
    only: "status <> 'running'",
  },
  { table: "control.run_line", key: ["run_seq", "line_no"], json: [], text: ["text"] },
  {
    table: "control.incident",
    key: ["id"],
    json: [],
    text: ["title", "symptoms", "root_cause", "resolution", "prevention"],
  },
  { table: "control.incident_note", key: ["id"], json: [], text: ["text"] },
  JOBS,
];

/** How a value reads without the person; the value itself when it does not name them. */
export interface Scrubbing {
  json(value: Json): Json;
  text(text: string): string;
}

export interface ScrubStep {
  /** Number of the last row walked; 0 to begin. */
  readonly after: number;
  /** Regular expressions (POSIX): each text of the person matches one of them, upper and lower case alike. */
  readonly patterns: readonly string[];
  /** Of jobs: the one that stays as it is. */
  readonly exceptJob: number;
  /** Counts, and changes nothing. */
  readonly dryRun: boolean;
}

/** Rows a transaction walks: bodies of events are up to megabytes. */
const BATCH_ROWS = 500;

/** One batch. `reached` is null when the table is through. */
export async function scrubBatch(
  tx: Sql,
  place: PersonTexts,
  step: ScrubStep,
  scrubbing: Scrubbing,
): Promise<{ readonly reached: number | null; readonly changed: number }> {
  const upTo = await endOfBatch(tx, place, step.after);
  if (upTo === null) return { reached: null, changed: 0 };
  let changed = 0;
  for (const row of await readSuspects(tx, place, step, upTo)) {
    const news = newsOf(row, place, scrubbing);
    if (Object.keys(news).length === 0) continue;
    changed++;
    if (!step.dryRun) await rewrite(tx, place, row, news);
  }
  return { reached: upTo, changed };
}

/** The same for one job, of whatever state. */
export async function scrubJob(tx: Sql, seq: number, scrubbing: Scrubbing): Promise<void> {
  const { rows } = await tx.query<Row>(
    `SELECT ${columnsOf(JOBS)} FROM ${JOBS.table} WHERE seq = $1 FOR UPDATE`,
    [seq],
  );
  for (const row of rows) {
    const news = newsOf(row, JOBS, scrubbing);
    if (Object.keys(news).length > 0) await rewrite(tx, JOBS, row, news);
  }
}

type Row = Readonly<Record<string, Json>>;

async function endOfBatch(tx: Sql, place: PersonTexts, after: number): Promise<number | null> {
  const [key] = place.key;
  const { rows } = await tx.query<{ upTo: number | null }>(
    `SELECT max(key) AS "upTo" FROM (
       SELECT ${key} AS key FROM ${place.table} WHERE ${key} > $1 ORDER BY ${key} LIMIT ${BATCH_ROWS}
     ) batch`,
    [after],
  );
  return rows[0]!.upTo;
}

/** Locked in the order in which the runtime locks jobs. */
async function readSuspects(
  tx: Sql,
  place: PersonTexts,
  { after, patterns, exceptJob }: ScrubStep,
  upTo: number,
): Promise<Row[]> {
  const [key] = place.key;
  const named = [...place.json, ...place.text].map((column) => `${column}::text ~* ANY ($3)`);
  const others = place === JOBS ? ` AND seq <> ${exceptJob}` : "";
  const { rows } = await tx.query<Row>(
    `SELECT ${columnsOf(place)} FROM ${place.table}
     WHERE ${key} > $1 AND ${key} <= $2 AND (${named.join(" OR ")}) AND ${place.only ?? "true"}${others}
     ORDER BY ${place.key.join(", ")} FOR UPDATE`,
    [after, upTo, patterns],
  );
  return rows;
}

function columnsOf(place: PersonTexts): string {
  return [...place.key, ...place.json, ...place.text].join(", ");
}

/** New values by column, as the statement takes them. */
function newsOf(row: Row, place: PersonTexts, scrubbing: Scrubbing): Record<string, string> {
  const news: Record<string, string> = {};
  for (const column of place.json) {
    const value = row[column] ?? null;
    const scrubbed = scrubbing.json(value);
    if (scrubbed !== value) news[column] = JSON.stringify(scrubbed);
  }
  for (const column of place.text) {
    const value = row[column];
    if (typeof value !== "string") continue;
    const scrubbed = scrubbing.text(value);
    if (scrubbed !== value) news[column] = scrubbed;
  }
  return news;
}

async function rewrite(
  tx: Sql,
  place: PersonTexts,
  row: Row,
  news: Readonly<Record<string, string>>,
): Promise<void> {
  const columns = Object.keys(news);
  const set = columns.map((column, at) => `${column} = $${place.key.length + at + 1}`);
  const where = place.key.map((column, at) => `${column} = $${at + 1}`).join(" AND ");
  const key = place.key.map((column) => row[column]);
  // A payload that changes under an unchanged fence is taken for an operator's plain SQL, and the audit log, from
  // which nothing can be taken, would keep what it was before. So the fence goes up, and in a second statement down:
  // whoever holds the job still holds it.
  if (place === JOBS) set.push("fence = fence + 1");
  await tx.query(`UPDATE ${place.table} SET ${set.join(", ")} WHERE ${where}`, [
    ...key,
    ...Object.values(news),
  ]);
  if (place === JOBS)
    await tx.query("UPDATE public.jobs SET fence = fence - 1 WHERE seq = $1", [row.seq]);
}
