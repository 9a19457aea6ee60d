/** What a gc was told that it would delete: by these rows a later one is held to it (docs/decisions/0061). */
import type { Sql } from "./database.js";

export interface PreviewedEntity {
  /** Of RETAINED_ENTITIES, or `export_files`. */
  readonly entity: string;
  /** Older than this goes: the same predicate with the same time names the same rows. */
  readonly before: Date;
  readonly rows: number;
}

/** Takes the place of what that job previewed before. */
export async function saveGcPreview(
  tx: Sql,
  jobSeq: number,
  preview: readonly PreviewedEntity[],
): Promise<void> {
  await tx.query("DELETE FROM control.gc_preview WHERE job_seq = $1", [jobSeq]);
  await tx.query(
    `INSERT INTO control.gc_preview (job_seq, entity, before, rows)
     SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::bigint[])`,
    [
      jobSeq,
      preview.map(({ entity }) => entity),
      preview.map(({ before }) => before),
      preview.map(({ rows }) => rows),
    ],
  );
}

/** Empty: that job previewed nothing, or retention took it. */
export async function readGcPreview(sql: Sql, jobSeq: number): Promise<PreviewedEntity[]> {
  const { rows } = await sql.query<PreviewedEntity>(
    "SELECT entity, before, rows FROM control.gc_preview WHERE job_seq = $1",
    [jobSeq],
  );
  return rows;
}
