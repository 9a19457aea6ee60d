import { describe, expect, it } from "vitest";
import type { Sql } from "../../src/store/database.js";
import {
  countExpired,
  deleteExpired,
  deleteJobs,
  lockExpiredQuarantined,
} from "../../src/store/retention.js";
import { withDatabase } from "../support/database.js";

const BEFORE = new Date("2026-06-01T00:00:00Z");

/** One old and one young job of each status and kind. */
async function addJobs(sql: Sql): Promise<void> {
  await sql.query(
    `INSERT INTO public.jobs (job_type, status, completed_at, created_at)
     SELECT kind, status, CASE WHEN status IN ('pending', 'running') THEN NULL ELSE at END, at
     FROM unnest(ARRAY['index', 'runbook']) AS kind,
       unnest(ARRAY['pending', 'running', 'completed', 'failed', 'quarantined', 'cancelled']) AS status,
       unnest(ARRAY['2026-01-01'::timestamptz, '2026-06-02']) AS at`,
  );
}

async function leftJobs(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ left: string }>(
    `SELECT job_type || ' ' || status || ' ' || to_char(created_at AT TIME ZONE 'UTC', 'MM') AS left
     FROM jobs ORDER BY 1`,
  );
  return rows.map(({ left }) => left);
}

describe("retention", () => {
  it("of jobs takes the old, ended, public ones, and no other", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      expect(await countExpired(db, "jobs", BEFORE)).toBe(3);
      expect(await deleteExpired(db, "jobs", BEFORE)).toBe(3);
      expect(await deleteExpired(db, "jobs", BEFORE)).toBe(0);
      const left = await leftJobs(db);
      expect(left).toHaveLength(21);
      for (const gone of ["index completed 01", "index failed 01", "index cancelled 01"])
        expect(left).not.toContain(gone);
    }));

  it("of quarantined jobs lends whole rows to be exported, then deletes these with their compensations", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      expect(await countExpired(db, "quarantined_jobs", BEFORE)).toBe(1);
      await db.transaction(async (tx) => {
        const [row] = await lockExpiredQuarantined(tx, BEFORE);
        const { seq = 0, line = "" } = row ?? {};
        expect(JSON.parse(line)).toMatchObject({ seq, status: "quarantined", job_type: "index" });
        await tx.query("INSERT INTO control.compensation VALUES ($1, 1, 'undo', '{}')", [seq]);
        expect(await deleteJobs(tx, [seq])).toBe(1);
      });
      const { rows } = await db.query("SELECT FROM control.compensation");
      expect(rows).toHaveLength(0);
      expect(await leftJobs(db)).toHaveLength(23);
    }));

  it("leaves a row that an operator is changing at that moment", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      await db.transaction(async (operator) => {
        await operator.query(
          "SELECT FROM jobs WHERE status = 'failed' AND job_type = 'index' FOR UPDATE",
        );
        expect(await deleteExpired(db, "jobs", BEFORE)).toBe(2);
      });
      expect(await deleteExpired(db, "jobs", BEFORE)).toBe(1);
    }));

  it.each([
    ["events", "INSERT INTO events (event_type, created_at) SELECT 'push', at FROM times"],
    [
      "healdec_log",
      `INSERT INTO healdec_log (job_id, failure_type, strategy, attempt_number, created_at)
       SELECT 'job-1', 'transient', 'retry', 1, at FROM times`,
    ],
    ["samples", "INSERT INTO control.sample SELECT 1, at, 1 FROM times"],
  ] as const)("of %s goes by age, in batches of a thousand", (entity, insert) =>
    withDatabase(async (db) => {
      await db.query(
        `WITH times AS (
           SELECT '2026-05-31T23:59:59Z'::timestamptz - n * interval '1 s' AS at
           FROM generate_series(0, 1499) n
           UNION ALL SELECT '2026-06-01T00:00:00Z')
         ${insert}`,
      );
      expect(await countExpired(db, entity, BEFORE)).toBe(1_500);
      expect(await deleteExpired(db, entity, BEFORE)).toBe(1_000);
      expect(await deleteExpired(db, entity, BEFORE)).toBe(500);
      expect(await deleteExpired(db, entity, BEFORE)).toBe(0);
    }),
  );
});
