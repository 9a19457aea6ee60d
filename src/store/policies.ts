/** The policy in force: published by the process that read it, loaded whole by the others. */
import type { Json } from "../base/json.js";
import type { Sql } from "./database.js";

export interface PolicyRevision {
  /** Only grows: going back to an older bundle is a new revision. */
  readonly revision: number;
  readonly digest: string;
  readonly bundle: Json;
  /** Where it was read: a folder, `s3://bucket/key`. */
  readonly source: string;
  readonly createdAt: Date;
}

/** Publishing what is in force already changes nothing. */
export async function publishPolicy(
  sql: Sql,
  policy: { readonly digest: string; readonly bundle: unknown; readonly source: string },
): Promise<{ revision: number; created: boolean }> {
  const { rows } = await sql.query<{ revision: number; created: boolean }>(
    `WITH newest AS (
       SELECT revision, digest FROM control.policy_revision ORDER BY revision DESC LIMIT 1
     ), added AS (
       INSERT INTO control.policy_revision (digest, bundle, source)
       SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM newest WHERE digest = $1)
       RETURNING revision
     )
     SELECT revision, true AS created FROM added
     UNION ALL SELECT revision, false FROM newest WHERE digest = $1`,
    [policy.digest, JSON.stringify(policy.bundle), policy.source],
  );
  return rows[0]!;
}

/** Null before the first publication. */
export async function readPolicyInForce(sql: Sql): Promise<PolicyRevision | null> {
  const { rows } = await sql.query<PolicyRevision>(
    `SELECT revision, digest, bundle, source, created_at AS "createdAt"
     FROM control.policy_revision ORDER BY revision DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

/** Cheap enough to ask on every tick: whether to load the whole. */
export async function readPolicyDigest(
  sql: Sql,
): Promise<{ revision: number; digest: string } | null> {
  const { rows } = await sql.query<{ revision: number; digest: string }>(
    "SELECT revision, digest FROM control.policy_revision ORDER BY revision DESC LIMIT 1",
  );
  return rows[0] ?? null;
}
