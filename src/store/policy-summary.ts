/** Published, in force, held, waiting and failed revision apart, in one look: for /health and for metrics. */
import type { Sql } from "./database.js";

export interface PolicySummary {
  /** Of control.policy_revision. */
  readonly revision: number;
  readonly digest: string;
  readonly commit: string | null;
  /** Signed revisions from here on. Null: none, or read from files. */
  readonly adopted: number | null;
  readonly published: number | null;
  readonly held: number | null;
  readonly waiting: number | null;
  /**
   * Refused or rolled back since what is in force came into force; at the door, too, by the number that the
   * object gave itself, which nobody has vouched for. 0: all that was refused gave none.
   */
  readonly failed: number | null;
  /** Live processes that work with what is in force, and those that do not yet. */
  readonly onIt: number;
  readonly behind: number;
  /** Emergency settings that are in force. */
  readonly overrides: number;
}

/** Null before the first start. */
export async function readPolicySummary(sql: Sql): Promise<PolicySummary | null> {
  const { rows } = await sql.query<PolicySummary>(
    `SELECT p.revision, p.digest, p.commit, p.bundle_revision AS adopted, b.published, b.held, b.waiting,
       greatest(b.failed, d.failed) AS failed, c.on_it::int AS "onIt", c.behind::int AS behind, o.active::int AS overrides
     FROM (SELECT * FROM control.policy_revision ORDER BY revision DESC LIMIT 1) p
     CROSS JOIN LATERAL (
       SELECT max(revision) FILTER (WHERE status <> 'refused') AS published,
         max(revision) FILTER (WHERE status = 'held') AS held,
         max(revision) FILTER (WHERE status = 'waiting') AS waiting,
         max(revision) FILTER (WHERE status IN ('refused', 'rolled-back') AND decided_at >= p.created_at) AS failed
       FROM control.policy_bundle) b
     CROSS JOIN LATERAL (
       SELECT max(coalesce(revision, 0)) AS failed FROM control.policy_refusal WHERE at >= p.created_at) d
     CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE revision = p.revision) AS on_it,
         count(*) FILTER (WHERE revision <> p.revision) AS behind
       FROM control.policy_process WHERE seen_at > now() - interval '1 minute') c
     CROSS JOIN LATERAL (
       SELECT count(*) AS active FROM control.policy_override
       WHERE ended_at IS NULL AND expires_at > now()) o`,
  );
  return rows[0] ?? null;
}

/** How many were refused at the door, by why. */
export async function countRefusals(
  sql: Sql,
): Promise<{ readonly refusal: string; readonly count: number }[]> {
  const { rows } = await sql.query<{ refusal: string; count: number }>(
    "SELECT refusal, count(*)::int AS count FROM control.policy_refusal GROUP BY refusal ORDER BY refusal",
  );
  return rows;
}
