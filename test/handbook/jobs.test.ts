/** HB-sql-04…10, -12, -18…21: the statements that operators paste to look at jobs and to change them. */
import { describe, expect, test } from "vitest";
import { verifyAudit } from "../../src/store/audit.js";
import { openDatabase } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob } from "../../src/store/job-settle.js";
import {
  CANCEL,
  DEPTH,
  FIX_PAYLOAD,
  LOWER_BACKFILL,
  QUARANTINED,
  RAISE_INGEST,
  RESET,
  RESET_FAILED,
} from "../support/handbook-sql.js";
import { onHandbookDatabase, type Psql } from "../support/psql.js";

const INSPECT = "SELECT * FROM jobs WHERE id = 'job-123';";

/** Puts a job of this number there, as if so many had gone before. */
async function jobNumbered(psql: Psql, seq: number, columns = ""): Promise<void> {
  await psql(`SELECT setval(pg_get_serial_sequence('jobs', 'seq'), ${seq - 1})`);
  await psql(`INSERT INTO jobs (job_type, payload) VALUES ('index', '{"repo_id": "wrong"}')`);
  if (columns) await psql(`UPDATE jobs SET ${columns} WHERE id = 'job-${seq}'`);
}

const facts = (psql: Psql, id: string) =>
  psql(`SELECT status, attempts, error, completed_at FROM jobs WHERE id = '${id}'`);

async function withRuntime(
  url: string,
  work: (runtime: ReturnType<typeof openDatabase>) => Promise<void>,
): Promise<void> {
  const runtime = openDatabase({ url, poolMax: 2, applicationName: "runtime", ssl: false });
  try {
    await work(runtime);
  } finally {
    await runtime.close();
  }
}

async function claimIndex(runtime: ReturnType<typeof openDatabase>) {
  const kinds = [{ kind: "index", free: 5, globalMax: null }];
  const options = { workerId: "general-worker-1", max: 5, globalCap: null };
  return claimJobs(runtime, { ...options, kinds });
}

test("inspecting job-123 gives one row (HB-sql-04, -08)", () =>
  onHandbookDatabase(async (psql) => {
    await jobNumbered(psql, 123);
    expect(await psql(INSPECT)).toMatchObject([
      { id: "job-123", job_type: "index", status: "pending", payload: { repo_id: "wrong" } },
    ]);
  }));

describe("resetting job-123 (HB-sql-05)", () => {
  test.each(["failed", "quarantined", "cancelled", "completed"])("when it is %s", (status) =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 123, `status = '${status}', attempts = 3, error = 'boom'`);
      expect((await facts(psql, "job-123"))[0]!.completed_at).not.toBeNull();
      await psql(RESET);
      expect(await facts(psql, "job-123")).toEqual([
        { status: "pending", attempts: 0, error: null, completed_at: null },
      ]);
      await withRuntime(url, async (runtime) => {
        expect(await claimIndex(runtime)).toMatchObject([{ id: "job-123", attempt: 1 }]);
      });
    }),
  );

  test("while a worker runs it: the reset wins, and the late result is dropped", () =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 123);
      await withRuntime(url, async (runtime) => {
        const [held] = await claimIndex(runtime);
        await psql(RESET);
        expect(await completeJob(runtime, held!, "late")).toBe(false);
        expect(await facts(psql, "job-123")).toMatchObject([{ status: "pending", attempts: 0 }]);
        const [again] = await claimIndex(runtime);
        expect(await completeJob(runtime, again!, "fresh")).toBe(true);
      });
      expect(await psql("SELECT status, result FROM jobs")).toEqual([
        { status: "completed", result: "fresh" },
      ]);
      expect(await psql("SELECT job_type, count FROM late_settle")).toEqual([
        { job_type: "index", count: "1" },
      ]);
    }));

  test("when it is pending already does no harm", () =>
    onHandbookDatabase(async (psql) => {
      await jobNumbered(psql, 123);
      await psql(RESET);
      expect(await facts(psql, "job-123")).toMatchObject([{ status: "pending" }]);
    }));

  test("leaves who, from where, before and after in the audit (X-02)", () =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 123, "status = 'failed', attempts = 3, error = 'boom'");
      await psql(RESET);
      const entries = await psql("SELECT * FROM audit_log ORDER BY seq");
      expect(entries.at(-1)).toMatchObject({
        action: "job.changed-by-sql",
        target: "job-123",
        details: {
          application: "psql",
          before: { status: "failed", attempts: 3, error: "boom" },
          after: { status: "pending", attempts: 0, error: null },
        },
      });
      const [role] = await psql("SELECT 'sql:' || current_user AS actor");
      expect(entries.at(-1)!.actor).toBe(role!.actor);
      await withRuntime(url, async (runtime) => {
        expect(await verifyAudit(runtime)).toEqual({ ok: true, entries: 2, brokenAt: null });
      });
    }));

  test("that is rolled back leaves nothing in the audit", () =>
    onHandbookDatabase(async (psql) => {
      await jobNumbered(psql, 123, "status = 'failed'");
      await psql(`BEGIN; ${RESET} ROLLBACK;`);
      expect(await facts(psql, "job-123")).toMatchObject([{ status: "failed" }]);
      expect(await psql("SELECT FROM audit_log")).toHaveLength(1);
    }));

  test("never lowers the count of attempts over the whole life (X-02)", () =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 123);
      await withRuntime(url, async (runtime) => {
        await claimIndex(runtime);
        await psql(RESET);
        await claimIndex(runtime);
      });
      expect(await psql("SELECT attempts, attempts_total FROM jobs")).toEqual([
        { attempts: 1, attempts_total: 2 },
      ]);
    }));
});

test("resetting the failed index jobs of a day takes exactly those (HB-sql-06)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload, status, completed_at, error) VALUES
      ('index', '{"n": 1}', 'failed', now() - interval '1 hour', 'x'),
      ('index', '{"n": 2}', 'failed', now() - interval '25 hours', 'x'),
      ('score', '{"n": 3}', 'failed', now() - interval '1 hour', 'x'),
      ('index', '{"n": 4}', 'completed', now() - interval '1 hour', NULL),
      ('index', '{"n": 5}', 'failed', now() - interval '23 hours', 'x')`);
    await psql(RESET_FAILED);
    const rows = await psql(
      "SELECT (payload->>'n')::int AS n FROM jobs WHERE status = 'pending' ORDER BY 1",
    );
    expect(rows).toEqual([{ n: 1 }, { n: 5 }]);
    expect(await psql("SELECT FROM audit_log")).toHaveLength(2);
  }));

test("a mass reset passes over unique keys that younger jobs have taken", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload, status, completed_at, unique_key) VALUES
      ('index', '{}', 'failed', now(), 'index:1'),
      ('index', '{}', 'failed', now(), 'index:1'),
      ('index', '{}', 'pending', NULL, 'index:1')`);
    await psql(RESET_FAILED);
    expect(await psql("SELECT unique_key FROM jobs WHERE status = 'pending'")).toHaveLength(3);
  }));

test("the 20 newest quarantined are listed (HB-sql-07)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload, status, created_at)
      SELECT 'index', '{}', 'quarantined', now() - n * interval '1 min' FROM generate_series(1, 25) n`);
    await psql("INSERT INTO jobs (job_type, payload, status) VALUES ('index', '{}', 'failed')");
    const rows = await psql(QUARANTINED);
    expect(rows).toHaveLength(20);
    const times = rows.map(({ created_at }) => (created_at as Date).getTime());
    expect(times).toEqual([...times].sort((a, b) => b - a));
  }));

test("a fixed payload runs again (HB-sql-09)", () =>
  onHandbookDatabase(async (psql, url) => {
    await jobNumbered(psql, 789, "status = 'quarantined', error = 'no such repo'");
    await psql(FIX_PAYLOAD);
    await withRuntime(url, async (runtime) => {
      expect(await claimIndex(runtime)).toMatchObject([
        { id: "job-789", payload: { repo_id: "correct-repo-id" } },
      ]);
    });
    const [entry] = await psql("SELECT details FROM audit_log ORDER BY seq DESC LIMIT 1");
    expect(entry!.details).toMatchObject({
      before: { payload: { repo_id: "wrong" } },
      after: { payload: { repo_id: "correct-repo-id" } },
    });
  }));

test("a payload edited under a running handler is audited, and the handler still finishes", () =>
  onHandbookDatabase(async (psql, url) => {
    await jobNumbered(psql, 789);
    await withRuntime(url, async (runtime) => {
      const [held] = await claimIndex(runtime);
      await psql(`UPDATE jobs SET payload = '{"repo_id": "other"}' WHERE id = 'job-789'`);
      expect(await completeJob(runtime, held!, "done")).toBe(true);
    });
    expect(await psql("SELECT action FROM audit_log")).toEqual([{ action: "job.changed-by-sql" }]);
  }));

describe("cancelling job-789 (HB-sql-10)", () => {
  test("ends it for good, with the reason and the time", () =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 789);
      await psql(CANCEL);
      const [job] = await facts(psql, "job-789");
      expect(job).toMatchObject({ status: "cancelled", error: "Manually cancelled by operator" });
      expect(job!.completed_at).not.toBeNull();
      await withRuntime(url, async (runtime) => expect(await claimIndex(runtime)).toEqual([]));
    }));

  test("while it runs makes its result worthless (X-79)", () =>
    onHandbookDatabase(async (psql, url) => {
      await jobNumbered(psql, 789);
      await withRuntime(url, async (runtime) => {
        const [held] = await claimIndex(runtime);
        await psql(CANCEL);
        expect(await completeJob(runtime, held!, "late")).toBe(false);
      });
      expect(await facts(psql, "job-789")).toMatchObject([{ status: "cancelled" }]);
    }));

  test("keeps the time at which it had failed", () =>
    onHandbookDatabase(async (psql) => {
      await jobNumbered(psql, 789, "status = 'failed', completed_at = '2026-01-02'");
      await psql(CANCEL);
      const [job] = await psql("SELECT completed_at::date::text AS day FROM jobs");
      expect(job).toEqual({ day: "2026-01-02" });
    }));
});

test("only the runtime starts jobs: running by hand is refused in one sentence", () =>
  onHandbookDatabase(async (psql) => {
    await jobNumbered(psql, 123);
    await expect(psql("UPDATE jobs SET status = 'running'")).rejects.toThrow(
      /only the runtime starts jobs: job-123 cannot be set to running by hand/,
    );
  }));

test("a minimal enqueue is filled with defaults (HB-sql-12, HB-db-04)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload) VALUES ('score', '{"repo_id": "repo-456"}');`);
    const [job] = await psql("SELECT *, scheduled_at <= now() AS due FROM jobs");
    expect(job).toMatchObject({ status: "pending", attempts: 0, error: null, due: true });
    expect(job).toMatchObject({ id: expect.stringMatching(/^job-\d+$/), completed_at: null });
  }));

test("queue depth counts pending by type, deepest first (HB-sql-18)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload, status) VALUES
      ('score', '{}', 'pending'), ('index', '{}', 'pending'), ('index', '{}', 'pending'), ('sync', '{}', 'failed')`);
    expect(await psql(DEPTH)).toEqual([
      { job_type: "index", count: "2" },
      { job_type: "score", count: "1" },
    ]);
  }));

test("priorities change for pending rows of one type, and order the claims (HB-sql-19, -20)", () =>
  onHandbookDatabase(async (psql, url) => {
    await psql(`INSERT INTO jobs (job_type, payload, status) VALUES
      ('backfill', '{}', 'pending'), ('index', '{}', 'pending'), ('ingest', '{}', 'pending'), ('ingest', '{}', 'failed')`);
    await psql(RAISE_INGEST);
    await psql(LOWER_BACKFILL);
    expect(await psql("SELECT priority FROM jobs ORDER BY seq")).toEqual(
      [1, 5, 10, 5].map((priority) => ({ priority })),
    );
    await withRuntime(url, async (runtime) => {
      const kinds = ["backfill", "index", "ingest"].map((kind) => ({
        ...{ kind, free: 1, globalMax: null },
      }));
      const held = await claimJobs(runtime, {
        ...{ workerId: "general-worker-1", kinds, max: 10, globalCap: null },
      });
      expect(held.map(({ kind }) => kind)).toEqual(["ingest", "index", "backfill"]);
    });
  }));

test("backfill progress of a day is counted (HB-sql-21)", () =>
  onHandbookDatabase(async (psql) => {
    await psql(`INSERT INTO jobs (job_type, payload, status, created_at) VALUES
      ('backfill', '{}', 'completed', now()), ('backfill', '{}', 'pending', now()),
      ('backfill', '{}', 'failed', now()), ('backfill', '{}', 'completed', now() - interval '2 days')`);
    const [progress] = await psql(`SELECT COUNT(*) AS total,
      SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS completed,
      SUM(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending,
      SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed
      FROM jobs WHERE job_type = 'backfill' AND created_at > NOW() - INTERVAL '1 day';`);
    expect(progress).toEqual({ total: "3", completed: "1", pending: "1", failed: "1" });
  }));
