/**
 * Who asked to be forgotten: of each only keyed digests are kept (HMAC-SHA-256 under a key of this database), enough
 * to know a signature again when a history is read anew, and not enough to name anybody.
 */
import type { Sql } from "./database.js";

/** The row of `identities` that stands for all forgotten people together. */
export const FORGOTTEN_ID = "person-forgotten";
/** The name of that row, and what stands in texts where a name or an address was. */
export const FORGOTTEN_NAME = "(forgotten)";

/** `mail+name`: for mails that many people share, such as `root@localhost`. */
export type TombstoneKind = "mail" | "login" | "mail+name" | "name";

export interface Tombstones {
  /** 32 bytes in hex; null: nobody was ever forgotten here. */
  readonly key: string | null;
  /** In hex. */
  readonly digests: readonly string[];
}

const LOCK = "hashtextextended('algobrain.forgotten', 0)";

/**
 * In a transaction it also keeps new tombstones out until the end: whoever writes what it read of people in the
 * same transaction cannot bring back somebody who is forgotten meanwhile.
 */
export async function readTombstones(sql: Sql): Promise<Tombstones> {
  // A statement of its own: the next one must see what the wait was for.
  await sql.query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`);
  const { rows } = await sql.query<{ key: string | null; digests: string[] }>(
    `SELECT (SELECT encode(key, 'hex') FROM control.privacy_key) AS key,
       array(SELECT encode(key_hash, 'hex') FROM control.forgotten ORDER BY key_hash) AS digests`,
  );
  return rows[0]!;
}

/** The key of this database, made at the first use. */
export async function ensurePrivacyKey(sql: Sql): Promise<string> {
  await sql.query("INSERT INTO control.privacy_key DEFAULT VALUES ON CONFLICT DO NOTHING");
  const { rows } = await sql.query<{ key: string }>(
    "SELECT encode(key, 'hex') AS key FROM control.privacy_key",
  );
  return rows[0]!.key;
}

export interface NewTombstone {
  readonly kind: TombstoneKind;
  /** In hex. */
  readonly digest: string;
}

/** Waits for whoever writes people's names at this moment. Returns how many were new. */
export async function addTombstones(
  tx: Sql,
  tombstones: readonly NewTombstone[],
  asked: { readonly request: string; readonly jobSeq: number },
): Promise<number> {
  await tx.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
  const { rowCount } = await tx.query(
    `INSERT INTO control.forgotten (key_hash, kind, request, job_seq)
     SELECT DISTINCT ON (digest) decode(digest, 'hex'), kind, $2, $3
     FROM jsonb_to_recordset($1::jsonb) AS t(digest text, kind text)
     ON CONFLICT (key_hash) DO NOTHING`,
    [JSON.stringify(tombstones), asked.request, asked.jobSeq],
  );
  return rowCount;
}

/** How many digests the request has left, now and before. */
export async function countTombstones(sql: Sql, request: string): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM control.forgotten WHERE request = $1",
    [request],
  );
  return rows[0]!.count;
}

/** Whether this job left digests. */
export async function hasTombstones(sql: Sql, jobSeq: number): Promise<boolean> {
  const { rows } = await sql.query("SELECT FROM control.forgotten WHERE job_seq = $1 LIMIT 1", [
    jobSeq,
  ]);
  return rows.length > 0;
}
