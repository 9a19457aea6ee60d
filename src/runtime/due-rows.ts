/** What gc would delete now: the count beside the deletion, for people who decide (HB-wrk-07). */
import type { PolicySet } from "../policy/policy.js";
import type { DueRows } from "../runbook/workload-port.js";
import type { Sql } from "../store/database.js";
import { countExpired } from "../store/retention.js";
import { expiriesOf } from "./expiry.js";

/** By the retention of the policy; entities of which nothing is due are not in it. */
export async function countDueRows(sql: Sql, policy: PolicySet, now: Date): Promise<DueRows[]> {
  const due: DueRows[] = [];
  for (const [entity, before] of expiriesOf(policy.retention, now)) {
    const rows = await countExpired(sql, entity, before);
    if (rows > 0) due.push({ entity, before, rows });
  }
  return due;
}
