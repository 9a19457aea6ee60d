/**
 * What must be true of the data at any moment. Each statement returns the rows that break its claim. Only of tables
 * that every run may read (store/capability-grants): runbooks ask too, and a backup of an older version has them.
 */
import type { Sql } from "./database.js";

interface Invariant {
  readonly name: string;
  /** One row a violation, with a text `id`. */
  readonly violations: string;
}

const INVARIANTS: readonly Invariant[] = [
  {
    name: "claim-has-identity",
    violations: `SELECT c.id::text AS id FROM public.claims c
      WHERE NOT EXISTS (SELECT FROM public.identities i WHERE i.id = c.identity_id)`,
  },
  {
    name: "claim-points-at-standing-identity",
    violations: `SELECT c.id::text AS id FROM public.claims c
      JOIN public.identities i ON i.id = c.identity_id WHERE i.merged_into IS NOT NULL`,
  },
  {
    name: "merge-points-at-standing-identity",
    violations: `SELECT i.id FROM public.identities i
      WHERE i.merged_into IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.identities t WHERE t.id = i.merged_into AND t.merged_into IS NULL)`,
  },
  {
    name: "claim-counts-no-less-than-nothing",
    violations: "SELECT id::text AS id FROM public.claims WHERE commit_count < 0",
  },
  {
    name: "score-has-repo",
    violations: `SELECT s.id::text AS id FROM public.scores s
      WHERE NOT EXISTS (SELECT FROM public.repos r WHERE r.id = s.repo_id)`,
  },
  {
    name: "score-is-0-to-100",
    violations: `SELECT id::text AS id FROM public.scores WHERE score NOT BETWEEN 0 AND 100`,
  },
  {
    name: "ended-job-has-completed-at",
    violations: `SELECT id FROM public.jobs
      WHERE status IN ('completed', 'failed', 'quarantined', 'cancelled') AND completed_at IS NULL`,
  },
  {
    name: "waiting-job-has-no-worker",
    violations: `SELECT id FROM public.jobs
      WHERE status = 'pending' AND (worker_id IS NOT NULL OR completed_at IS NOT NULL)`,
  },
  {
    name: "running-job-has-worker",
    violations: `SELECT id FROM public.jobs WHERE status = 'running' AND worker_id IS NULL`,
  },
];

export interface BrokenInvariant {
  readonly invariant: string;
  readonly count: number;
  /** A few of the rows, for whoever looks. */
  readonly examples: readonly string[];
}

export function invariantNames(): string[] {
  return INVARIANTS.map(({ name }) => name);
}

/** The claims that do not hold; none is the good answer. */
export async function findBrokenInvariants(sql: Sql): Promise<BrokenInvariant[]> {
  const broken: BrokenInvariant[] = [];
  for (const { name, violations } of INVARIANTS) {
    const { rows } = await sql.query<{ count: number; examples: string[] | null }>(
      `WITH violation AS (${violations})
       SELECT (SELECT count(*) FROM violation) AS count,
         (SELECT array_agg(id) FROM (SELECT id FROM violation ORDER BY id LIMIT 5) few) AS examples`,
    );
    const row = rows[0];
    if (row && row.count > 0)
      broken.push({ invariant: name, count: row.count, examples: row.examples ?? [] });
  }
  return broken;
}
