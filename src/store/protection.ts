/** What was last seen of the protection of the branch that policies come from, and what follows for automation. */
import { formatAge, HOUR_MS } from "../base/duration.js";
import type { BranchVerdict } from "../review/port.js";
import type { Sql } from "./database.js";

export interface SeenProtection extends BranchVerdict {
  readonly checkedAt: Date;
}

/**
 * An older verdict counts no more. Shorter would let an outage of the repository's host take automatic runbooks
 * away at the moment that they are for; longer would not notice that somebody took the protection off.
 */
export const PROTECTION_VALID_MS = 24 * HOUR_MS;

/** The verdict of before, if there was one. */
export async function saveProtection(
  sql: Sql,
  repo: string,
  { branch, verdict, missing }: BranchVerdict,
  checkedAt: Date,
): Promise<SeenProtection | null> {
  const before = await readProtection(sql, repo);
  await sql.query(
    `INSERT INTO control.protection (repo, verdict, checked_at) VALUES ($1, $2, $3)
     ON CONFLICT (repo) DO UPDATE SET verdict = excluded.verdict, checked_at = excluded.checked_at
     WHERE protection.checked_at <= excluded.checked_at`,
    [repo, JSON.stringify({ branch, verdict, missing }), checkedAt],
  );
  return before;
}

export async function readProtection(sql: Sql, repo: string): Promise<SeenProtection | null> {
  const { rows } = await sql.query<{ verdict: BranchVerdict; checkedAt: Date }>(
    `SELECT verdict, checked_at AS "checkedAt" FROM control.protection WHERE repo = $1`,
    [repo],
  );
  const row = rows[0];
  return row ? { ...row.verdict, checkedAt: row.checkedAt } : null;
}

/** Why nothing that changes something may start by itself; null when it may. */
export function whyUnguarded(repo: string, seen: SeenProtection | null, now: Date): string | null {
  const why = trouble(seen, now);
  return (
    why && `branch protection of ${repo} is not known to be on: ${why} (see: algobrain doctor)`
  );
}

function trouble(seen: SeenProtection | null, now: Date): string | null {
  if (seen === null) return "it was never checked";
  const ageMs = now.getTime() - seen.checkedAt.getTime();
  if (ageMs > PROTECTION_VALID_MS) return `it was last checked ${formatAge(ageMs)} ago`;
  return seen.verdict === "on" ? null : seen.missing.join(", ");
}
