/** What an audit found wrong with the data: one open row an invariant, from when it was first seen until it holds again. */
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";
import type { BrokenInvariant } from "./invariants.js";

export interface FindingChanges {
  /** Broken now, and not at the audit before. */
  readonly opened: readonly BrokenInvariant[];
  /** Names of those that hold again. */
  readonly resolved: readonly string[];
}

/**
 * Notes what is broken as of `at` and closes what no longer is. The same answer twice changes nothing but when it
 * was last seen; an audit that began before another one looked closes nothing of that one's.
 */
export async function recordFindings(
  tx: Sql,
  broken: readonly BrokenInvariant[],
  at: Date,
): Promise<FindingChanges> {
  const names = broken.map(({ invariant }) => invariant);
  const { rows: seen } = await tx.query<{ invariant: string; isNew: boolean }>(
    `INSERT INTO control.audit_finding AS f (invariant, first_seen, last_seen, count, examples)
     SELECT invariant, $4, $4, count, examples FROM unnest($1::text[], $2::bigint[], $3::jsonb[]) AS b(invariant, count, examples)
     ON CONFLICT (invariant) WHERE resolved_at IS NULL
     DO UPDATE SET last_seen = greatest(f.last_seen, $4), count = excluded.count, examples = excluded.examples
     RETURNING invariant, xmax = 0 AS "isNew"`,
    [
      names,
      broken.map(({ count }) => count),
      broken.map(({ examples }) => JSON.stringify(examples)),
      at,
    ],
  );
  const { rows: held } = await tx.query<{ invariant: string }>(
    `UPDATE control.audit_finding SET resolved_at = $2
     WHERE resolved_at IS NULL AND invariant <> ALL ($1) AND last_seen <= $2 RETURNING invariant`,
    [names, at],
  );
  const isNew = new Set(seen.filter((row) => row.isNew).map(({ invariant }) => invariant));
  return {
    opened: broken.filter(({ invariant }) => isNew.has(invariant)),
    resolved: held.map(({ invariant }) => invariant),
  };
}

/** Rows that break an invariant, as the newest audit counted them. */
export function countOpenFindings(sql: Sql): Promise<number> {
  const sum =
    "(SELECT coalesce(sum(count), 0)::float8 FROM control.audit_finding WHERE resolved_at IS NULL)";
  return ask<number>(sql, { name: "audit.findings", sql: sum });
}
