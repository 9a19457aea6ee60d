/** The policy in force: published by the process that read it, loaded whole by the others. */
import type { Json, JsonObject } from "../base/json.js";
import { ask, type Question } from "./ask-together.js";
import type { Sql } from "./database.js";

export interface PolicyRevision {
  /** Only grows: going back to an older bundle is a new revision. */
  readonly revision: number;
  readonly digest: string;
  /** What it means: a whole PolicySet. */
  readonly bundle: Json;
  /** Where it was read: a folder, `s3://bucket/key`, `api`. */
  readonly source: string;
  readonly createdAt: Date;
  /** Signed revision of the bundle that it came in; null: from files. */
  readonly bundleRevision: number | null;
  readonly commit: string | null;
  /** As people wrote it; null: only what it means is known. */
  readonly sections: JsonObject | null;
  /** The revision that was given up for this one. */
  readonly rolledBackFrom: number | null;
}

export interface NewPolicyRevision {
  readonly digest: string;
  readonly bundle: unknown;
  readonly source: string;
  readonly sections?: unknown;
  readonly commit?: string | null;
  readonly bundleRevision?: number | null;
  readonly rolledBackFrom?: number | null;
}

const COLUMNS = `revision, digest, bundle, source, created_at AS "createdAt", bundle_revision AS "bundleRevision",
  commit, sections, rolled_back_from AS "rolledBackFrom"`;

/** Publishing what is in force already changes nothing. */
export async function publishPolicy(
  sql: Sql,
  policy: NewPolicyRevision,
): Promise<{ revision: number; created: boolean }> {
  const { rows } = await sql.query<{ revision: number; created: boolean }>(
    `WITH newest AS (
       SELECT revision, digest FROM control.policy_revision ORDER BY revision DESC LIMIT 1
     ), added AS (
       INSERT INTO control.policy_revision (digest, bundle, source, sections, commit)
       SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM newest WHERE digest = $1)
       RETURNING revision
     )
     SELECT revision, true AS created FROM added
     UNION ALL SELECT revision, false FROM newest WHERE digest = $1`,
    [
      policy.digest,
      JSON.stringify(policy.bundle),
      policy.source,
      jsonOrNull(policy.sections),
      policy.commit ?? null,
    ],
  );
  return rows[0]!;
}

/**
 * Puts a revision in force on top of `expected` (null: of none); null when another one is the newest by now. Holds the
 * table until the transaction ends, so that of two who decide at once one finds the other's.
 */
export async function addPolicyRevision(
  tx: Sql,
  policy: NewPolicyRevision,
  expected: number | null,
): Promise<number | null> {
  await tx.query("LOCK TABLE control.policy_revision IN SHARE ROW EXCLUSIVE MODE");
  const { rows } = await tx.query<{ revision: number }>(
    `INSERT INTO control.policy_revision
       (digest, bundle, source, sections, commit, bundle_revision, rolled_back_from)
     SELECT $1, $2, $3, $4, $5, $6, $7
     WHERE (SELECT max(revision) FROM control.policy_revision) IS NOT DISTINCT FROM $8::bigint
     RETURNING revision`,
    [
      policy.digest,
      JSON.stringify(policy.bundle),
      policy.source,
      jsonOrNull(policy.sections),
      policy.commit ?? null,
      policy.bundleRevision ?? null,
      policy.rolledBackFrom ?? null,
      expected,
    ],
  );
  return rows[0]?.revision ?? null;
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** Null before the first publication. */
export async function readPolicyInForce(sql: Sql): Promise<PolicyRevision | null> {
  const { rows } = await sql.query<PolicyRevision>(
    `SELECT ${COLUMNS} FROM control.policy_revision ORDER BY revision DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

export async function readPolicyRevision(
  sql: Sql,
  revision: number,
): Promise<PolicyRevision | null> {
  const { rows } = await sql.query<PolicyRevision>(
    `SELECT ${COLUMNS} FROM control.policy_revision WHERE revision = $1`,
    [revision],
  );
  return rows[0] ?? null;
}

/** The newest before `revision` that nobody had to give up: the way back. */
export async function readLastGoodPolicy(
  sql: Sql,
  revision: number,
): Promise<PolicyRevision | null> {
  const { rows } = await sql.query<PolicyRevision>(
    `SELECT ${COLUMNS} FROM control.policy_revision WHERE revision < $1 AND revision NOT IN (
       SELECT rolled_back_from FROM control.policy_revision WHERE rolled_back_from IS NOT NULL)
     ORDER BY revision DESC LIMIT 1`,
    [revision],
  );
  return rows[0] ?? null;
}

interface PolicyDigest {
  readonly revision: number;
  readonly digest: string;
}

const NEWEST: Question<PolicyDigest | null> = {
  name: "policy.newest",
  sql: `(SELECT json_build_object('revision', revision, 'digest', digest)
    FROM control.policy_revision ORDER BY revision DESC LIMIT 1)`,
};

/** Cheap enough to ask on every tick: whether to load the whole. */
export function readPolicyDigest(sql: Sql): Promise<PolicyDigest | null> {
  return ask(sql, NEWEST);
}
