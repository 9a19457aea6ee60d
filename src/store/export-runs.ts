/** How far each export came: one row an export, one a part that has arrived. What an interrupted one goes on from. */

import type { Sql } from "./database.js";
import type { ExportEntity } from "./export-rows.js";

export interface ExportRun {
  readonly jobSeq: number;
  readonly entity: ExportEntity;
  readonly format: string;
  /** Name of the target: another one is another export. */
  readonly target: string;
  /** Of the file. */
  readonly name: string;
  readonly since: Date | null;
  readonly until: Date | null;
  /** Keys above it, up to `maxKey`: fixed at the beginning, so that what is added meanwhile is not in it. */
  readonly fromKey: number;
  readonly maxKey: number;
  /** Bytes, compressed, after which a part ends. */
  readonly chunkBytes: number;
  readonly asOf: Date;
}

export interface StoredExportRun extends ExportRun {
  /** As the target takes it up again; null: none is begun. */
  readonly uploadId: string | null;
  readonly endedAt: Date | null;
}

export interface StoredExportPart {
  readonly number: number;
  /** It holds the rows above this key, up to the next and with it. */
  readonly afterKey: number;
  readonly lastKey: number;
  readonly rows: number;
  /** Compressed. */
  readonly bytes: number;
  readonly sha256: string;
  readonly etag: string;
}

export async function readExportRun(sql: Sql, jobSeq: number): Promise<StoredExportRun | null> {
  const { rows } = await sql.query<StoredExportRun>(
    `SELECT job_seq AS "jobSeq", entity, format, target, name, since, until, from_key AS "fromKey",
       max_key AS "maxKey", chunk_bytes AS "chunkBytes", as_of AS "asOf", upload_id AS "uploadId", ended_at AS "endedAt"
     FROM control.export_run WHERE job_seq = $1`,
    [jobSeq],
  );
  return rows[0] ?? null;
}

/** What another attempt of the same job has begun meanwhile stays. */
export async function addExportRun(sql: Sql, run: ExportRun): Promise<void> {
  await sql.query(
    `INSERT INTO control.export_run (job_seq, entity, format, target, name, since, until, from_key, max_key, chunk_bytes, as_of)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (job_seq) DO NOTHING`,
    [
      ...[run.jobSeq, run.entity, run.format, run.target, run.name, run.since, run.until],
      ...[run.fromKey, run.maxKey, run.chunkBytes, run.asOf],
    ],
  );
}

/** False: another attempt has begun an upload. */
export async function setUpload(sql: Sql, jobSeq: number, uploadId: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    "UPDATE control.export_run SET upload_id = $2 WHERE job_seq = $1 AND upload_id IS NULL",
    [jobSeq, uploadId],
  );
  return rowCount === 1;
}

/** In order. */
export async function listExportParts(sql: Sql, jobSeq: number): Promise<StoredExportPart[]> {
  const { rows } = await sql.query<StoredExportPart>(
    `SELECT number, after_key AS "afterKey", last_key AS "lastKey", rows, bytes, sha256, etag
     FROM control.export_part WHERE job_seq = $1 ORDER BY number`,
    [jobSeq],
  );
  return rows;
}

/** False: the export is no longer this upload's, or another attempt has written this part. */
export async function addExportPart(
  sql: Sql,
  run: { readonly jobSeq: number; readonly uploadId: string },
  part: StoredExportPart,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `INSERT INTO control.export_part (job_seq, number, after_key, last_key, rows, bytes, sha256, etag)
     SELECT job_seq, $3, $4, $5, $6, $7, $8, $9 FROM control.export_run
     WHERE job_seq = $1 AND upload_id = $2 AND ended_at IS NULL
     ON CONFLICT (job_seq, number) DO NOTHING`,
    [
      ...[run.jobSeq, run.uploadId, part.number, part.afterKey, part.lastKey, part.rows],
      ...[part.bytes, part.sha256, part.etag],
    ],
  );
  return rowCount === 1;
}

/** From a number on: those that the target has lost are written again. */
export async function dropExportParts(
  sql: Sql,
  run: { readonly jobSeq: number; readonly uploadId: string },
  from: number,
): Promise<void> {
  await sql.query(
    `DELETE FROM control.export_part AS part USING control.export_run AS run
     WHERE run.job_seq = $1 AND run.upload_id = $2 AND part.job_seq = run.job_seq AND part.number >= $3`,
    [run.jobSeq, run.uploadId, from],
  );
}

/** Whoever runs the job next begins anew. What another attempt has begun meanwhile stays. */
export async function forgetExportRun(
  sql: Sql,
  { jobSeq, uploadId }: Pick<StoredExportRun, "jobSeq" | "uploadId">,
): Promise<void> {
  await sql.query(
    `WITH forgotten AS (
       DELETE FROM control.export_run WHERE job_seq = $1 AND upload_id IS NOT DISTINCT FROM $2 RETURNING job_seq
     )
     DELETE FROM control.export_part WHERE job_seq IN (SELECT job_seq FROM forgotten)`,
    [jobSeq, uploadId],
  );
}

export async function endExportRun(sql: Sql, jobSeq: number, at: Date): Promise<void> {
  await sql.query(
    "UPDATE control.export_run SET ended_at = $2 WHERE job_seq = $1 AND ended_at IS NULL",
    [jobSeq, at],
  );
}

/** Of the exports that ended at or after a time. */
export async function sumExports(
  sql: Sql,
  since: Date,
): Promise<{ readonly exports: number; readonly rows: number; readonly bytes: number }> {
  const { rows } = await sql.query<{ exports: number; rows: number; bytes: number }>(
    `SELECT count(DISTINCT run.job_seq) AS exports, coalesce(sum(part.rows), 0) AS rows,
       coalesce(sum(part.bytes), 0) AS bytes
     FROM control.export_run AS run LEFT JOIN control.export_part AS part USING (job_seq)
     WHERE run.ended_at >= $1`,
    [since],
  );
  return rows[0]!;
}
