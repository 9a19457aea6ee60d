/** HB-sql-01, -03, -11, -13…17: the statements that only look, and the one that ends a session. */
import { expect, test } from "vitest";
import { onHandbookDatabase, withPsql } from "../support/psql.js";
import { until } from "../support/until.js";

const SLOW = `SELECT pid, now() - query_start AS duration, query
FROM pg_stat_activity
WHERE state = 'active' AND now() - query_start > interval '5 seconds'
ORDER BY duration DESC;`;

test("the server tells its version, 15 or newer, and answers a probe (HB-sql-01, -15)", () =>
  onHandbookDatabase(async (psql) => {
    const [{ version } = {}] = await psql("SELECT version();");
    expect(Number(/PostgreSQL (\d+)/.exec(String(version))?.[1])).toBeGreaterThanOrEqual(15);
    expect(await psql("SELECT 1;")).toEqual([{ "?column?": 1 }]);
  }));

test("the healing log of the last hour comes newest first, 50 at most (HB-sql-03)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO healdec_log (job_id, worker_id, failure_type, strategy, attempt_number, created_at)
      SELECT 'job-' || n, 'index-worker-1', 'transient', 'retry', 1, now() - n * interval '1 min'
      FROM generate_series(1, 70) n`);
    const rows =
      await psql(`SELECT id, job_id, worker_id, failure_type, strategy, attempt_number, success, created_at
      FROM healdec_log
      WHERE created_at > NOW() - INTERVAL '1 hour'
      ORDER BY created_at DESC
      LIMIT 50;`);
    expect(rows).toHaveLength(50);
    expect(rows[0]).toMatchObject({ id: "log-1", job_id: "job-1", success: null });
    expect(rows[49]).toMatchObject({ job_id: "job-50" });
    expect(Object.keys(rows[0]!)).toHaveLength(8);
  }));

test("unarchived repositories, and those without a score in 7 days (HB-sql-11, -14)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO repos (id, name, archived) VALUES
      ('r1', 'one', false), ('r2', 'two', false), ('r3', 'three', false), ('r4', 'four', true)`);
    await psql(`INSERT INTO scores (repo_id, score, computed_at) VALUES
      ('r1', 80, now()), ('r2', 70, now() - interval '8 days')`);
    expect(await psql("SELECT COUNT(*) FROM repos WHERE archived = false;")).toEqual([
      { count: "3" },
    ]);
    const rows = await psql(`SELECT r.id, r.name
      FROM repos r
      LEFT JOIN scores s ON s.repo_id = r.id AND s.computed_at > NOW() - INTERVAL '7 days'
      WHERE r.archived = false AND s.id IS NULL
      ORDER BY r.id;`);
    expect(rows.map(({ id }) => id)).toEqual(["r2", "r3"]);
  }));

test("connections against the maximum, in the form that runs (HB-sql-13, X-18)", () =>
  onHandbookDatabase(async (psql) => {
    const [row] = await psql(`SELECT COUNT(*)::int AS connections,
      current_setting('max_connections')::int AS maximum
      FROM pg_stat_activity;`);
    expect(row!.maximum).toBeGreaterThan(0);
    expect(row!.connections).toBeGreaterThan(0);
    expect(Number(row!.connections)).toBeLessThanOrEqual(Number(row!.maximum));
  }));

test("a statement active for more than 5 s is listed, and its session can be ended (HB-sql-16, -17)", () =>
  onHandbookDatabase(async (psql, url) => {
    await withPsql(url, async (sleeper) => {
      const asleep = sleeper("SELECT pg_sleep(60)").catch((error: Error) => error.message);
      const row = await until(
        async () => (await psql(SLOW)).find(({ query }) => String(query).includes("pg_sleep(60)")),
        "the sleeper is listed",
      );
      expect(await psql(`SELECT pg_terminate_backend(${row.pid});`)).toEqual([
        { pg_terminate_backend: true },
      ]);
      expect(await asleep).toContain("terminating connection");
    });
  }));
