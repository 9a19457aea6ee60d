/** Which policy was published, which is in force, and what stands between: for /health, metrics, CLI and API. */
import type { Refusal } from "../policy/envelope-types.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import {
  listBundles,
  listFailedBundles,
  SINCE_IN_FORCE,
  type StoredBundle,
} from "./policy-bundles.js";
import { listPolicyProcesses, type PolicyProcess } from "./policy-processes.js";

/** What was found at a source and not believed. */
export interface PolicyRefusal {
  readonly at: Date;
  readonly source: string;
  readonly refusal: Refusal;
  readonly sentence: string;
  /** As the object said; nobody has vouched for it. */
  readonly revision: number | null;
  readonly digest: string | null;
}

export interface PolicyRevisionInForce {
  readonly revision: number;
  readonly digest: string;
  /** Null: read from files. */
  readonly bundleRevision: number | null;
  readonly commit: string | null;
  readonly source: string;
  readonly since: Date;
  /** The revision that was left because it did harm. */
  readonly rolledBackFrom: number | null;
}

export interface PolicyState {
  /** The newest bundle that was believed, whatever became of it; null: none yet. */
  readonly published: StoredBundle | null;
  /** Null before the first start. */
  readonly inForce: PolicyRevisionInForce | null;
  readonly held: readonly StoredBundle[];
  readonly waiting: readonly StoredBundle[];
  /** Bundles refused or rolled back since what is in force came into force, newest first. */
  readonly failed: readonly StoredBundle[];
  /** Refused at the door since then, newest first. */
  readonly refused: readonly PolicyRefusal[];
  /** Those that live. */
  readonly processes: readonly PolicyProcess[];
}

const LIST_MAX = 50;

/** True the first time: the same object is told once. Call it in a transaction: it stands in the audit too. */
export async function recordRefusal(
  tx: Sql,
  found: Omit<PolicyRefusal, "at"> & {
    /** The object's own name for its content. */
    readonly tag: string;
    readonly by?: string | undefined;
  },
): Promise<boolean> {
  const { source, tag, refusal, sentence, revision, digest, by = "orchestrator" } = found;
  const { rowCount } = await tx.query(
    `INSERT INTO control.policy_refusal (source, tag, refusal, sentence, revision, digest)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source, tag) DO NOTHING`,
    // What nobody vouches for may be larger than any number that the column holds.
    [source, tag, refusal, sentence, Number.isSafeInteger(revision) ? revision : null, digest],
  );
  if (rowCount !== 1) return false;
  const details = { refusal, sentence, source };
  const target = `policy:${revision ?? "unknown"}`;
  await appendAudit(tx, { actor: by, action: "policy.refused", target, details });
  return true;
}

export async function readPolicyState(sql: Sql): Promise<PolicyState> {
  const open = await listBundles(sql, { limit: LIST_MAX, statuses: ["held", "waiting"] });
  return {
    published: (await listBundles(sql, { limit: 1 }))[0] ?? null,
    inForce: await readInForce(sql),
    held: open.filter(({ status }) => status === "held"),
    waiting: open.filter(({ status }) => status === "waiting"),
    failed: await listFailedBundles(sql, LIST_MAX),
    refused: await readRefusals(sql),
    processes: await listPolicyProcesses(sql),
  };
}

async function readInForce(sql: Sql): Promise<PolicyRevisionInForce | null> {
  const { rows } = await sql.query<PolicyRevisionInForce>(
    `SELECT revision, digest, bundle_revision AS "bundleRevision", commit, source, created_at AS since,
       rolled_back_from AS "rolledBackFrom"
     FROM control.policy_revision ORDER BY revision DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

async function readRefusals(sql: Sql): Promise<PolicyRefusal[]> {
  const { rows } = await sql.query<PolicyRefusal>(
    `SELECT at, source, refusal, sentence, revision, digest FROM control.policy_refusal
     WHERE at >= ${SINCE_IN_FORCE} ORDER BY at DESC, id DESC LIMIT $1`,
    [LIST_MAX],
  );
  return rows;
}
