/** Which policy each process works with. */
import type { Sql } from "./database.js";

export interface PolicyProcess {
  /** `host:pid:random`. */
  readonly process: string;
  readonly role: string;
  readonly revision: number;
  readonly digest: string;
  readonly seenAt: Date;
}

/** Who has not said so for this long is not counted: it ended without a word. */
const SEEN_WITHIN_S = 60;

export async function notePolicyProcess(
  sql: Sql,
  seen: Omit<PolicyProcess, "seenAt">,
): Promise<void> {
  await sql.query(
    `INSERT INTO control.policy_process (process, role, revision, digest) VALUES ($1, $2, $3, $4)
     ON CONFLICT (process) DO UPDATE SET revision = excluded.revision, digest = excluded.digest, seen_at = now()`,
    [seen.process, seen.role, seen.revision, seen.digest],
  );
}

/** Of a process that ends in order. */
export async function forgetPolicyProcess(sql: Sql, process: string): Promise<void> {
  await sql.query("DELETE FROM control.policy_process WHERE process = $1", [process]);
}

/** Those that live, by role and name. */
export async function listPolicyProcesses(sql: Sql): Promise<PolicyProcess[]> {
  const { rows } = await sql.query<PolicyProcess>(
    `SELECT process, role, revision, digest, seen_at AS "seenAt" FROM control.policy_process
     WHERE seen_at > now() - $1 * interval '1 s' ORDER BY role, process`,
    [SEEN_WITHIN_S],
  );
  return rows;
}

/** How many live processes work with each policy. */
export async function countPolicyProcesses(
  sql: Sql,
): Promise<{ readonly digest: string; readonly count: number }[]> {
  const { rows } = await sql.query<{ digest: string; count: number }>(
    `SELECT digest, count(*)::int AS count FROM control.policy_process
     WHERE seen_at > now() - $1 * interval '1 s' GROUP BY digest ORDER BY digest`,
    [SEEN_WITHIN_S],
  );
  return rows;
}
