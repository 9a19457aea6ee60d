/** What a run said and ran, line by line: for whoever watches it while it works, and for the record after. */
import type { Phase, Run, RunLine } from "../runbook/run.js";
import type { Sql } from "./database.js";

export type NewLine = Pick<RunLine, "lineNo" | "phase" | "ordinal" | "stream" | "text">;

/** Fenced: of an executor that no longer holds the run nothing is kept. Returns how many were. */
export async function appendRunLines(
  sql: Sql,
  run: Pick<Run, "seq" | "fence">,
  lines: readonly NewLine[],
): Promise<number> {
  const { rowCount } = await sql.query(
    `INSERT INTO control.run_line (run_seq, line_no, phase, ordinal, stream, text)
     SELECT run.seq, line."lineNo", line.phase, line.ordinal, line.stream, line.text
     FROM control.run AS run, jsonb_to_recordset($3::jsonb)
       AS line("lineNo" integer, phase text, ordinal integer, stream text, text text)
     WHERE run.seq = $1 AND run.fence = $2 ON CONFLICT DO NOTHING`,
    [run.seq, run.fence, JSON.stringify(lines)],
  );
  return rowCount;
}

/** In their order, those after a line; at most `limit`. */
export async function readRunLines(
  sql: Sql,
  runSeq: number,
  after: number,
  limit: number,
): Promise<RunLine[]> {
  const { rows } = await sql.query<RunLine & { phase: Phase }>(
    `SELECT line_no AS "lineNo", at, phase, ordinal, stream, text FROM control.run_line
     WHERE run_seq = $1 AND line_no > $2 ORDER BY line_no LIMIT $3`,
    [runSeq, after, limit],
  );
  return rows;
}

export interface KeptLines {
  readonly last: number;
  readonly characters: number;
}

/** How much is kept already: a run that goes on after a crash has no second allowance. */
export async function countRunLines(sql: Sql, runSeq: number): Promise<KeptLines> {
  const { rows } = await sql.query<KeptLines>(
    `SELECT coalesce(max(line_no), 0) AS last, coalesce(sum(length(text)), 0)::int AS characters
     FROM control.run_line WHERE run_seq = $1`,
    [runSeq],
  );
  return rows[0]!;
}
