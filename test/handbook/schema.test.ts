/** HB-db-01…18: what the handbook's statements expect of the tables. */
import { expect, test } from "vitest";
import { onHandbookDatabase, type Psql } from "../support/psql.js";

const columns = async (psql: Psql, table: string) =>
  (
    await psql(`SELECT column_name AS name, data_type AS type FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = '${table}' ORDER BY ordinal_position`)
  ).map(({ name, type }) => `${name} ${type}`);

test("migrations has id, name, applied_at, in this order and nothing else (HB-db-01)", () =>
  onHandbookDatabase(async (psql) => {
    expect(await columns(psql, "migrations")).toEqual([
      "id integer",
      "name text",
      "applied_at timestamp with time zone",
    ]);
  }));

test("the five migrations are applied in order (HB-db-02, HB-sql-02)", () =>
  onHandbookDatabase(async (psql) => {
    const rows = await psql("SELECT * FROM migrations ORDER BY id DESC LIMIT 5;");
    expect(rows.map(({ id, name }) => `${id} ${name}`)).toEqual([
      "5 005_add_audit_indexes",
      "4 004_add_indexes",
      "3 003_add_workers_table",
      "2 002_add_healdec_log",
      "1 001_initial_schema",
    ]);
  }));

test.each([
  [
    "jobs",
    "id job_type payload status priority attempts error scheduled_at created_at completed_at",
  ],
  [
    "healdec_log",
    "id job_id worker_id failure_type strategy attempt_number success context operator_notified created_at",
  ],
  ["repos", "id name archived"],
  ["scores", "id repo_id score computed_at"],
  ["workers", "id"],
  ["events", "id created_at"],
  ["identities", "id"],
  ["claims", "id identity_id"],
])("%s has the columns %s (HB-db-03, -10…-16)", (table, names) =>
  onHandbookDatabase(async (psql) => {
    const present = (await columns(psql, table)).map((column) => column.split(" ", 1)[0]);
    expect(present).toEqual(expect.arrayContaining(names.split(" ")));
  }),
);

test("payload is jsonb, ids are text, and scores has no security_score before 006 (HB-db-12)", () =>
  onHandbookDatabase(async (psql) => {
    expect(await columns(psql, "jobs")).toEqual(
      expect.arrayContaining(["id text", "payload jsonb"]),
    );
    expect(await columns(psql, "healdec_log")).toEqual(
      expect.arrayContaining(["id text", "context jsonb"]),
    );
    expect((await columns(psql, "scores")).join()).not.toContain("security_score");
  }));

test("each status is accepted and bogus is refused (HB-db-05)", () =>
  onHandbookDatabase(async (psql) => {
    for (const status of [
      ...["pending", "running", "completed", "failed", "quarantined", "cancelled"],
    ]) {
      await psql(
        `INSERT INTO jobs (job_type, payload, status) VALUES ('index', '{}', '${status}')`,
      );
    }
    await expect(
      psql("INSERT INTO jobs (job_type, payload, status) VALUES ('index', '{}', 'bogus')"),
    ).rejects.toThrow(/jobs_status_known/);
    await expect(psql("UPDATE jobs SET status = 'bogus'")).rejects.toThrow(/jobs_status_known/);
  }));

test("the default priority lies between low 1 and high 10 (HB-db-07)", () =>
  onHandbookDatabase(async (psql) => {
    await psql("INSERT INTO jobs (job_type, payload) VALUES ('index', '{}')");
    expect(await psql("SELECT priority > 1 AND priority < 10 AS between FROM jobs")).toEqual([
      { between: true },
    ]);
  }));

test("worker ids look like identity-worker-3 and no other way (HB-db-13)", () =>
  onHandbookDatabase(async (psql) => {
    await psql("INSERT INTO workers (id) VALUES ('identity-worker-3')");
    await expect(psql("INSERT INTO workers (id) VALUES ('Worker 3')")).rejects.toThrow(/check/);
  }));

test("an audit table has an index (HB-db-14)", () =>
  onHandbookDatabase(async (psql) => {
    const rows = await psql("SELECT indexname FROM pg_indexes WHERE tablename = 'audit_log'");
    expect(rows.map(({ indexname }) => indexname)).toContain("idx_audit_log_target");
  }));

test("healing logs do not die with their jobs (X-07)", () =>
  onHandbookDatabase(async (psql) => {
    await psql("INSERT INTO jobs (job_type, payload) VALUES ('index', '{}')");
    await psql(`INSERT INTO healdec_log (job_id, failure_type, strategy, attempt_number)
      SELECT id, 'data', 'quarantine', 1 FROM jobs`);
    await psql("DELETE FROM jobs");
    expect(await psql("SELECT failure_type FROM healdec_log")).toHaveLength(1);
  }));
