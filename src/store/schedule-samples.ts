/** How the last job of each schedule ended, for samples (LB-alr-03). */
import { askRows } from "./ask-together.js";
import type { Sql } from "./database.js";

export interface ScheduleSuccess {
  readonly name: string;
  /** Milliseconds since its last job completed; null while that has not, and when it never had one. */
  readonly succeededMsAgo: number | null;
}

/** By primary key: older jobs of a schedule are not looked for. */
export function listScheduleSuccesses(sql: Sql): Promise<readonly ScheduleSuccess[]> {
  return askRows(
    sql,
    "schedules.succeeded",
    `SELECT s.name, (extract(epoch FROM now() - j.completed_at) * 1000)::float8 AS "succeededMsAgo"
     FROM control.schedule_run s
     LEFT JOIN public.jobs j ON j.seq = s.job_seq AND j.status = 'completed'
     ORDER BY s.name`,
  );
}
