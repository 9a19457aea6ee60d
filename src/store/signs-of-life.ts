/**
 * What the runtime's watchdogs look at: when its loops last did what they are for. A sign is written by the work itself,
 * in its own transaction where it has one, so that a loop which turns and achieves nothing looks dead (design 8.7).
 */
import { ask, type Question } from "./ask-together.js";
import type { Sql } from "./database.js";

/** `heartbeat`: a cycle of the orchestrator. `samples`: a round of the leader. `evaluator`: rules judged, and the outcome stored. */
export type SignName = "heartbeat" | "samples" | "evaluator";

export interface RuntimeAges {
  /** Since the orchestrator's last whole cycle; null when there never was one. */
  readonly heartbeatMs: number | null;
  /** Since samples were last collected; null when they never were. */
  readonly samplesMs: number | null;
  /** Since the rules were last judged; null when they never were. */
  readonly evaluatorMs: number | null;
}

/** By these the version before knows that somebody beats and collects: it reads their rows, and no signs. */
const FORMER_METRIC: Readonly<Record<SignName, string | null>> = {
  heartbeat: "algobrain.orchestrator.heartbeat",
  samples: "algobrain.workers.alive",
  evaluator: null,
};
/** So often it writes a row: it takes three missed ones for silence. */
const FORMER_EVERY_MS = 15_000;

/** One statement. The version before is told as well, once in 15 s, as long as it may run beside this one. */
export async function noteSign(sql: Sql, name: SignName, at: Date): Promise<void> {
  const metric = FORMER_METRIC[name];
  if (metric === null) await noteSignAlone(sql, name, at);
  else await sql.query(UPSERT_AND_ROW, [name, at, metric, FORMER_EVERY_MS], "note-sign-and-row");
}

/** Between two of the rows that the version before reads: a caller that has told it in these 15 s. */
export async function noteSignAlone(sql: Sql, name: SignName, at: Date): Promise<void> {
  await sql.query(UPSERT, [name, at], "note-sign");
}

/** A clock that goes ahead must not hide for an hour that its process has died. */
const UPSERT = `INSERT INTO control.sign_of_life (name, at) VALUES ($1, least($2, now()))
  ON CONFLICT (name) DO UPDATE SET at = excluded.at`;

/** A copy of what the slot's rounds say, at the slot: readers of both take it for one sample. */
const UPSERT_AND_ROW = `
  WITH slot AS (
    SELECT date_bin($4 * interval '1 ms', $2::timestamptz, 'epoch') AS at
    WHERE NOT EXISTS (
      SELECT FROM control.sign_of_life WHERE name = $1 AND at >= date_bin($4 * interval '1 ms', $2::timestamptz, 'epoch'))
  ), told AS (
    INSERT INTO control.sample (series_id, at, value)
    SELECT s.id, slot.at, r.values[array_position(r.series_ids, s.id)]
    FROM slot JOIN control.sample_round r ON r.slot >= slot.at AND r.slot <= $2
    JOIN control.series s ON s.metric = $3 AND s.labels = '{}' AND s.id = ANY (r.series_ids)
    ORDER BY r.slot DESC LIMIT 1
    ON CONFLICT DO NOTHING
  )
  ${UPSERT}`;

/**
 * How old the signs are, by the database's clock. While a sign is old, the version before may be the one that works:
 * it beats and collects in rows, and writes every alert state at each tick.
 */
export function readSigns(sql: Sql): Promise<RuntimeAges> {
  return ask(sql, SIGNS);
}

/** The second look is only made where the first found nothing fresh: a young sign needs no support. */
function ageOf(name: SignName, former: string): string {
  const sign = `(SELECT at FROM control.sign_of_life WHERE name = '${name}')`;
  const newest = `CASE WHEN ${sign} > now() - ${2 * FORMER_EVERY_MS} * interval '1 ms' THEN ${sign}
    ELSE greatest(${sign}, ${former}) END`;
  return `(extract(epoch FROM now() - ${newest}) * 1000)::float8`;
}

function newestRow(name: "heartbeat" | "samples"): string {
  return `(SELECT max(at) FROM control.sample WHERE series_id =
    (SELECT id FROM control.series WHERE metric = '${FORMER_METRIC[name]}' AND labels = '{}'))`;
}

const SIGNS: Question<RuntimeAges> = {
  name: "runtime.signs",
  sql: `(SELECT json_build_object('heartbeatMs', ${ageOf("heartbeat", newestRow("heartbeat"))},
    'samplesMs', ${ageOf("samples", newestRow("samples"))},
    'evaluatorMs', ${ageOf("evaluator", "(SELECT max(updated_at) FROM control.alert_state)")}))`,
};
