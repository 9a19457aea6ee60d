/**
 * Signed bundles on their way into force (docs/states.md). Every move carries its own condition, so that of two
 * leaders one decides; what was decided stands in the audit in the same transaction. Time is the database's.
 */
import type { Json, JsonObject } from "../base/json.js";
import type { Envelope } from "../policy/envelope-types.js";
import { ask, askRows } from "./ask-together.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { textList } from "./sql-lists.js";

export const BUNDLE_STATUSES = [
  "published",
  "waiting",
  "held",
  "canary",
  "adopted",
  "superseded",
  "refused",
  "rolled-back",
] as const;
export type BundleStatus = (typeof BUNDLE_STATUSES)[number];

export interface StoredBundle {
  /** Signed; it only grows. */
  readonly revision: number;
  readonly digest: string;
  readonly commit: string | null;
  /** That it needs. */
  readonly schemaVersion: number;
  /** Where it was found: a folder, `s3://bucket/key`, `api`. */
  readonly source: string;
  readonly status: BundleStatus;
  /** Why it waits, is held, was refused or rolled back. */
  readonly reason: string | null;
  readonly findings: Json;
  readonly publishedAt: Date;
  readonly decidedAt: Date | null;
  readonly releasedBy: string | null;
  readonly releaseReason: string | null;
  /** The row of `control.policy_revision` that it became. */
  readonly inForce: number | null;
}

const COLUMNS = `revision, digest, commit, schema_version AS "schemaVersion", source, status, reason, findings,
  published_at AS "publishedAt", decided_at AS "decidedAt", released_by AS "releasedBy",
  release_reason AS "releaseReason", in_force AS "inForce"`;

/** When what is in force came into force; before the first start, before all time. */
export const SINCE_IN_FORCE = `coalesce(
  (SELECT created_at FROM control.policy_revision ORDER BY revision DESC LIMIT 1), '-infinity')`;

/** Who acts where no person does. */
const RUNTIME = "orchestrator";

/**
 * Stores a bundle that was believed, and takes those before it that are still undecided out of the way. `known`: this
 * very bundle is there already, whatever became of it. `not-newer`: another of this or a higher revision is there.
 */
export async function insertBundle(
  tx: Sql,
  found: {
    readonly envelope: Envelope;
    readonly source: string;
    /** A person who handed it in; otherwise the runtime found it. */
    readonly by?: string | undefined;
  },
): Promise<"stored" | "known" | "not-newer"> {
  const { envelope, source, by = RUNTIME } = found;
  const { revision, digest, commit, bundle } = envelope;
  // The larger revision must not be overtaken by a smaller one that is stored at the same time.
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('policy-bundle'))");
  const same = await readBundle(tx, revision);
  if (same) return same.digest === digest ? "known" : "not-newer";
  if (revision <= (await newestBundleRevision(tx))) return "not-newer";
  await tx.query(
    `INSERT INTO control.policy_bundle (revision, digest, commit, schema_version, envelope, source)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [revision, digest, commit, bundle.requires.schema, JSON.stringify(envelope), source],
  );
  await tx.query(
    `UPDATE control.policy_bundle SET status = 'superseded', decided_at = now(), reason = $2
     WHERE revision < $1 AND status IN ('published', 'waiting', 'held')`,
    [revision, `revision ${revision} came after it`],
  );
  await audit(tx, {
    by,
    action: "policy.published",
    revision,
    details: { digest, commit, source },
  });
  return "stored";
}

/** 0 before the first. What was refused is not counted: the next one only has to be newer than what was believed. */
export async function newestBundleRevision(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ revision: number }>(
    "SELECT coalesce(max(revision), 0) AS revision FROM control.policy_bundle WHERE status <> 'refused'",
  );
  return rows[0]!.revision;
}

/** The newest that was believed and not refused since; null before the first. */
export async function readNewestBundle(sql: Sql): Promise<StoredBundle | null> {
  const { rows } = await sql.query<StoredBundle>(
    `SELECT ${COLUMNS} FROM control.policy_bundle WHERE status <> 'refused' ORDER BY revision DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

export async function readBundle(sql: Sql, revision: number): Promise<StoredBundle | null> {
  const { rows } = await sql.query<StoredBundle>(
    `SELECT ${COLUMNS} FROM control.policy_bundle WHERE revision = $1`,
    [revision],
  );
  return rows[0] ?? null;
}

/** As it was signed. jsonb has changed its text, not what it says, and signatures are over what it says. */
export async function readStoredEnvelope(sql: Sql, revision: number): Promise<Envelope | null> {
  const { rows } = await sql.query<{ envelope: Envelope }>(
    "SELECT envelope FROM control.policy_bundle WHERE revision = $1",
    [revision],
  );
  return rows[0]?.envelope ?? null;
}

/** Newest first. */
export async function listBundles(
  sql: Sql,
  filter: { readonly limit: number; readonly statuses?: readonly BundleStatus[] | undefined },
): Promise<StoredBundle[]> {
  const { rows } = await sql.query<StoredBundle>(
    `SELECT ${COLUMNS} FROM control.policy_bundle
     WHERE $2::text[] IS NULL OR status = ANY ($2) ORDER BY revision DESC LIMIT $1`,
    [filter.limit, filter.statuses ?? null],
  );
  return rows;
}

export interface NewestBundle {
  readonly status: BundleStatus;
  /** Milliseconds of the epoch. */
  readonly publishedMs: number;
}

/** Of all that were published, whatever became of it; null: none was. */
export async function readNewestStatus(sql: Sql): Promise<NewestBundle | null> {
  const select = `SELECT status, extract(epoch FROM published_at) * 1000 AS "publishedMs"
    FROM control.policy_bundle ORDER BY revision DESC LIMIT 1`;
  const [newest] = await askRows<NewestBundle>(sql, "policy.newest-bundle", select);
  return newest ?? null;
}

/** Whether there is any of these statuses. */
export function hasBundles(sql: Sql, statuses: readonly BundleStatus[]): Promise<boolean> {
  const list = textList(statuses);
  return ask<boolean>(sql, {
    name: `policy.bundles.${statuses.join("-")}`,
    sql: `EXISTS (SELECT FROM control.policy_bundle WHERE status IN (${list}))`,
  });
}

/**
 * Refused or rolled back since what is in force came into force, newest first. A roll-back comes into force in the
 * moment in which the bundle fails, so the moment itself counts; the database compares, to the microsecond.
 */
export async function listFailedBundles(sql: Sql, limit: number): Promise<StoredBundle[]> {
  const { rows } = await sql.query<StoredBundle>(
    `SELECT ${COLUMNS} FROM control.policy_bundle
     WHERE status IN ('refused', 'rolled-back') AND decided_at >= ${SINCE_IN_FORCE} ORDER BY revision DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** What the runtime may do with a bundle; `release` is a person's (below), and so is publishing a newer one. */
const MOVES: Readonly<Record<BundleStatus, readonly BundleStatus[]>> = {
  published: ["waiting", "held", "canary", "refused", "superseded"],
  waiting: ["held", "canary", "refused", "superseded"],
  held: ["superseded"],
  canary: ["adopted", "refused", "superseded"],
  adopted: ["superseded", "rolled-back"],
  superseded: [],
  refused: [],
  "rolled-back": [],
};

/** Those that people look for afterwards. */
const AUDITED: Readonly<Partial<Record<BundleStatus, string>>> = {
  waiting: "policy.waiting",
  held: "policy.held",
  adopted: "policy.adopted",
  refused: "policy.refused",
  "rolled-back": "policy.rolled-back",
};

/**
 * False when it is not `from` any more, or when there is no such move: another has decided. Adopting one supersedes
 * the one that was adopted before.
 */
export async function setBundleStatus(
  tx: Sql,
  revision: number,
  from: BundleStatus,
  to: BundleStatus,
  why: {
    readonly reason?: string | undefined;
    readonly findings?: Json | undefined;
    /** The row of `control.policy_revision` that it became. */
    readonly inForce?: number | undefined;
  } = {},
): Promise<boolean> {
  if (!MOVES[from].includes(to)) return false;
  const { reason = null, findings, inForce = null } = why;
  const { rowCount } = await tx.query(
    `UPDATE control.policy_bundle SET status = $3, decided_at = now(), reason = $4,
       findings = coalesce($5::jsonb, findings), in_force = coalesce($6, in_force)
     WHERE revision = $1 AND status = $2`,
    [revision, from, to, reason, findings === undefined ? null : JSON.stringify(findings), inForce],
  );
  if (rowCount !== 1) return false;
  if (to === "adopted") await supersedeAdopted(tx, revision);
  const action = AUDITED[to];
  const details = { reason, in_force: inForce };
  if (action !== undefined) await audit(tx, { by: RUNTIME, action, revision, details });
  return true;
}

async function supersedeAdopted(tx: Sql, revision: number): Promise<void> {
  await tx.query(
    `UPDATE control.policy_bundle SET status = 'superseded', decided_at = now(), reason = $2
     WHERE status = 'adopted' AND revision <> $1`,
    [revision, `revision ${revision} was adopted after it`],
  );
}

export type Released =
  | { readonly outcome: "released"; readonly bundle: StoredBundle }
  | { readonly outcome: "not-held"; readonly bundle: StoredBundle }
  | { readonly outcome: "not-found" };

/** A held bundle goes on, because a person says why; never because time has passed. */
export async function releaseBundle(
  tx: Sql,
  revision: number,
  by: string,
  reason: string,
): Promise<Released> {
  // What it was held for stays in `reason` and `findings`: whoever reads the audit wants to know both.
  const { rows } = await tx.query<StoredBundle>(
    `UPDATE control.policy_bundle SET status = 'canary', decided_at = now(), released_by = $2, release_reason = $3
     WHERE revision = $1 AND status = 'held' RETURNING ${COLUMNS}`,
    [revision, by, reason],
  );
  const [released] = rows;
  if (released) {
    const details = { reason, held_because: released.reason };
    await audit(tx, { by, action: "policy.released", revision, details });
    return { outcome: "released", bundle: released };
  }
  const bundle = await readBundle(tx, revision);
  return bundle ? { outcome: "not-held", bundle } : { outcome: "not-found" };
}

interface Audited {
  readonly by: string;
  readonly action: string;
  readonly revision: number;
  readonly details: JsonObject;
}

async function audit(tx: Sql, { by, action, revision, details }: Audited): Promise<void> {
  await appendAudit(tx, { actor: by, action, target: `policy:${revision}`, details });
}
