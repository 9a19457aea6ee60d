/**
 * An operator pastes the handbook's statements (HB-sql-…) into psql while the service runs: it does what they
 * say, nothing is lost, and the audit knows. One job runs at a time, so that order can be seen.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.js";
import { cli, lendCheckout, program } from "../cli/support.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRepository, withFolder } from "../support/git-repository.js";
import {
  CANCEL,
  DEPTH,
  FIX_PAYLOAD,
  QUARANTINED,
  RESET,
  RESET_FAILED,
} from "../support/handbook-sql.js";
import { lendToFile } from "../support/lend.js";
import { type ReadyService, startService, stopService } from "../support/service.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";
import { holdRepository } from "./held-repository.js";

const HEALING = `SELECT id, job_id, worker_id, failure_type, strategy, attempt_number, success, created_at
FROM healdec_log
WHERE created_at > NOW() - INTERVAL '1 hour'
ORDER BY created_at DESC
LIMIT 50;`;
const INGEST_FIRST =
  "UPDATE jobs SET priority = 10 WHERE job_type = 'ingest' AND status = 'pending';";
const BACKFILL_LAST =
  "UPDATE jobs SET priority = 1 WHERE job_type = 'backfill' AND status = 'pending';";

interface Operator {
  readonly url: string;
  readonly home: string;
  readonly service: ReadyService;
  /** Two repositories: the one that is indexed, and the one with the id that the handbook calls correct. */
  readonly widgets: string;
  readonly correct: string;
  /** Runs a statement as psql does. Returns its rows. */
  paste(statement: string): Promise<Record<string, unknown>[]>;
  /** Rows that pasted statements moved, for the count of the audit. */
  readonly moved: () => number;
}

/** Built by nested lending, handed out to the tests, and taken back when all of them are done. */
async function withOperator(work: (operator: Operator) => Promise<void>): Promise<void> {
  const database = await createTestDatabase();
  try {
    await withHome((home) => withFolder((folder) => withService(database, home, folder, work)));
  } finally {
    await database.drop();
  }
}

async function withService(
  { url }: TestDatabase,
  home: string,
  folder: string,
  work: (operator: Operator) => Promise<void>,
): Promise<void> {
  const at = "2026-06-01T09:00:00Z";
  const [widgets, correct] = await Promise.all(
    ["widgets", "correct"].map((name) =>
      makeRepository(join(folder, name), [{ author: "Ada <ada@example.org>", at }]),
    ),
  );
  const psql = openDatabase({ url, poolMax: 1, applicationName: "psql", ssl: false });
  const env = { ORCHESTRATOR_MAX_CONCURRENT_JOBS: "1", ORCHESTRATOR_POLL_INTERVAL_MS: "500" };
  const service = await startService({ home, databaseUrl: url, env });
  let moved = 0;
  const paste = async (statement: string) => {
    const { rows, rowCount } = await psql.query<Record<string, unknown>>(statement);
    if (/^UPDATE jobs\s+SET (status|payload)/.test(statement)) moved += rowCount;
    return rows;
  };
  try {
    await work({
      ...{ url, home, service, paste },
      widgets: widgets!,
      correct: correct!,
      moved: () => moved,
    });
  } finally {
    await psql.close();
    await stopService(service);
  }
}

const operator = lendToFile(withOperator);

/** The next job that is inserted has this number. */
const number = (seq: number) =>
  operator().paste(`SELECT setval(pg_get_serial_sequence('jobs', 'seq'), ${seq - 1})`);

/** HB-sql-12. */
const enqueue = (kind: string, payload: object) =>
  operator().paste(
    `INSERT INTO jobs (job_type, payload) VALUES ('${kind}', '${JSON.stringify(payload)}');`,
  );

/** HB-sql-04, -08. */
async function inspect(id: string): Promise<Record<string, unknown>> {
  const [job] = await operator().paste(`SELECT * FROM jobs WHERE id = '${id}';`);
  return job!;
}

function become(id: string, status: string): Promise<Record<string, unknown>> {
  return until(async () => {
    const job = await inspect(id);
    return job.status === status && job;
  }, `${id} is ${status}`);
}

function quiet(): Promise<boolean> {
  return until(
    async () =>
      (
        await operator().paste(
          "SELECT FROM jobs WHERE status IN ('pending', 'running') AND job_type <> 'notice'",
        )
      ).length === 0,
    "nothing waits and nothing runs",
    60_000,
  );
}

/** What the audit says of changes by plain SQL, oldest first. */
async function changes(id: string) {
  const rows = await operator().paste(
    `SELECT details FROM audit_log WHERE target = '${id}' AND action = 'job.changed-by-sql' ORDER BY seq`,
  );
  return rows.map(({ details }) => details);
}

describe("job-123", () => {
  test("a minimal enqueue is picked up and run (HB-sql-12)", async () => {
    await number(123);
    await enqueue("index", { path: operator().widgets });
    expect(await become("job-123", "completed")).toMatchObject({ attempts: 1, error: null });
    await quiet();
    expect(await operator().paste("SELECT COUNT(*) FROM repos WHERE archived = false;")).toEqual([
      { count: 1 },
    ]);
    expect(await operator().paste("SELECT score FROM scores")).toHaveLength(1);
  });

  test("completed, it is reset and runs again (HB-sql-05, X-04)", async () => {
    const before = await inspect("job-123");
    await operator().paste(RESET);
    const after = await until(async () => {
      const job = await inspect("job-123");
      return (
        job.status === "completed" &&
        Number(job.attempts_total) > Number(before.attempts_total) &&
        job
      );
    }, "job-123 completes again");
    expect(after).toMatchObject({ attempts: 1, attempts_total: 2 });
    expect(Number(after.completed_at)).toBeGreaterThan(Number(before.completed_at));
    expect(await changes("job-123")).toMatchObject([
      {
        application: "psql",
        before: { status: "completed" },
        after: { status: "pending", attempts: 0, completed_at: null },
      },
    ]);
    await quiet();
  });

  test("running, its handler is ended and a fresh one completes it (X-01)", async () => {
    const held = holdRepository(operator().widgets, operator().home);
    try {
      await operator().paste(RESET);
      await held.entered();
      expect(await inspect("job-123")).toMatchObject({ status: "running", completed_at: null });
      held.heal();
      await operator().paste(RESET);
      await held.left();
    } finally {
      held.close();
    }
    expect(await become("job-123", "completed")).toMatchObject({ attempts: 1, attempts_total: 4 });
    expect((await changes("job-123")).at(-1)).toMatchObject({
      ...{ before: { status: "running", attempts: 1 }, after: { status: "pending", attempts: 0 } },
    });
    // A reset is no failure: nothing was healed.
    expect(await operator().paste(HEALING)).toEqual([]);
    const lost = await until(() => operator().service.logged("job.lost")[0], "the log tells it");
    expect(lost).toMatchObject({ job_id: "job-123" });
    await quiet();
  });
});

describe("job-789", () => {
  test("quarantined for its payload, it is found, corrected, and completes (HB-sql-07…09, HB-heal-13)", async () => {
    await operator().paste(
      `INSERT INTO repos (id, name, location) VALUES ('correct-repo-id', 'correct', '${operator().correct}')`,
    );
    await number(789);
    await enqueue("score", { repo_id: "wrong" });
    await become("job-789", "quarantined");
    const [listed] = await operator().paste(QUARANTINED);
    expect(listed).toMatchObject({
      ...{ id: "job-789", job_type: "score", payload: { repo_id: "wrong" } },
      error: expect.stringContaining('there is no repository with the id "wrong"'),
    });
    expect(await operator().paste(HEALING)).toMatchObject([
      { job_id: "job-789", failure_type: "data", strategy: "quarantine", attempt_number: 1 },
    ]);
    await operator().paste(FIX_PAYLOAD);
    expect(await become("job-789", "completed")).toMatchObject({
      ...{ payload: { repo_id: "correct-repo-id" }, error: null, attempts: 1 },
    });
    expect(
      await operator().paste("SELECT FROM scores WHERE repo_id = 'correct-repo-id'"),
    ).toHaveLength(1);
    expect(await operator().paste(QUARANTINED)).toEqual([]);
    expect(await changes("job-789")).toMatchObject([
      {
        before: { payload: { repo_id: "wrong" } },
        after: { payload: { repo_id: "correct-repo-id" } },
      },
    ]);
  });

  test("cancelled while it runs, its handler is ended and it never runs again (HB-sql-10, X-79)", async () => {
    const held = holdRepository(operator().correct, operator().home);
    try {
      await operator().paste(FIX_PAYLOAD);
      await held.entered();
      await operator().paste(CANCEL);
      await held.left();
      held.heal();
    } finally {
      held.close();
    }
    const cancelled = await inspect("job-789");
    expect(cancelled).toMatchObject({
      status: "cancelled",
      error: "Manually cancelled by operator",
    });
    expect(cancelled.completed_at).not.toBeNull();
    expect((await changes("job-789")).at(-1)).toMatchObject({
      ...{ before: { status: "running" }, after: { status: "cancelled" } },
    });
    // Whole rounds of others later it still stands as it was left.
    await enqueue("score", { repo_id: "correct-repo-id" });
    await quiet();
    expect(await inspect("job-789")).toEqual(cancelled);
  });
});

test("the failed index jobs of a day, and only those, run again (HB-sql-06, X-03)", async () => {
  const payload = JSON.stringify({ path: operator().widgets });
  await operator().paste(`INSERT INTO jobs (job_type, payload, status, error, attempts, completed_at) VALUES
    ('index', '${payload}', 'failed', 'n1', 5, now() - interval '1 hour'),
    ('index', '${payload}', 'failed', 'n2', 5, now() - interval '23 hours'),
    ('index', '${payload}', 'failed', 'n3', 5, now() - interval '25 hours'),
    ('score', '{"repo_id": "correct-repo-id"}', 'failed', 'n4', 5, now() - interval '1 hour')`);
  const [first] = await operator().paste("SELECT seq FROM jobs WHERE error = 'n1'");
  await operator().paste(RESET_FAILED);
  await quiet();
  const rows = await operator().paste(
    `SELECT status, attempts, error FROM jobs WHERE seq BETWEEN ${first!.seq} AND ${first!.seq} + 3 ORDER BY seq`,
  );
  expect(rows).toEqual([
    { status: "completed", attempts: 1, error: null },
    { status: "completed", attempts: 1, error: null },
    { status: "failed", attempts: 5, error: "n3" },
    { status: "failed", attempts: 5, error: "n4" },
  ]);
});

test("priorities that are pasted while jobs wait decide who is first (HB-sql-18…20, HB-db-07)", async () => {
  const held = holdRepository(operator().widgets, operator().home);
  try {
    await enqueue("index", { path: operator().widgets });
    await held.entered();
    await enqueue("backfill", {
      entity: "scores",
      start_date: "2026-06-01",
      end_date: "2026-06-02",
    });
    await enqueue("score", { repo_id: "correct-repo-id", as_of: "2026-06-03" });
    await enqueue("ingest", { delivery_id: "never-came" });
    expect(await operator().paste(DEPTH)).toEqual(
      expect.arrayContaining(
        ["backfill", "ingest", "score"].map((job_type) => ({ job_type, count: 1 })),
      ),
    );
    await operator().paste(INGEST_FIRST);
    await operator().paste(BACKFILL_LAST);
    held.heal();
  } finally {
    held.close();
  }
  await quiet();
  const rows = await operator().paste(`SELECT job_type, priority FROM jobs
    WHERE job_type IN ('backfill', 'ingest') OR payload->>'as_of' = '2026-06-03' ORDER BY started_at`);
  expect(rows).toEqual([
    { job_type: "ingest", priority: 10 },
    { job_type: "score", priority: 5 },
    { job_type: "backfill", priority: 1 },
  ]);
});

test("migration 006 comes and goes under the running service (HB-sql-02, -22…24, HB-cli-02, -03)", async () => {
  const score = async (day: string) => {
    await enqueue("score", { repo_id: "correct-repo-id", as_of: day });
    await quiet();
    return operator().paste(`SELECT status FROM jobs WHERE payload->>'as_of' = '${day}'`);
  };
  await withCheckout(async (script, folder) => {
    await writeFile(
      join(folder, "src/db/migrations/006_add_security_score.sql"),
      "ALTER TABLE scores ADD COLUMN security_score INTEGER;\nCREATE INDEX idx_scores_security ON scores(security_score);\n",
    );
    expect((await script("migrate")).out).toBe("applied 006_add_security_score\n");
    const [newest] = await operator().paste("SELECT * FROM migrations ORDER BY id DESC LIMIT 5;");
    expect(newest).toMatchObject({ id: 6, name: "006_add_security_score" });
    expect(await score("2026-06-04")).toEqual([{ status: "completed" }]);
    await operator().paste("UPDATE scores SET security_score = 7");
    expect(await script("rollback", "006_add_security_score")).toMatchObject({ code: 0 });
    expect(await score("2026-06-05")).toEqual([{ status: "completed" }]);
    await expect(operator().paste("SELECT security_score FROM scores")).rejects.toThrow(
      /security_score/,
    );
    expect(
      await operator().paste("SELECT * FROM migrations ORDER BY id DESC LIMIT 5;"),
    ).toHaveLength(5);
  });
});

async function withCheckout(
  work: (
    script: (name: string, ...args: string[]) => ReturnType<typeof program>,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const { folder, giveBack } = await lendCheckout();
  const env = { DATABASE_URL: operator().url };
  try {
    await work(
      (name, ...args) => program(join(folder, "scripts/db", `${name}.sh`), args, { env }),
      folder,
    );
  } finally {
    await giveBack();
  }
}

test("the statements that only look answer while it runs (HB-sql-01, -14…16, -21)", async () => {
  const [{ version } = {}] = await operator().paste("SELECT version();");
  expect(String(version)).toMatch(/^PostgreSQL \d+/);
  expect(await operator().paste("SELECT 1;")).toHaveLength(1);
  const unscored = await operator().paste(`SELECT r.id, r.name
    FROM repos r
    LEFT JOIN scores s ON s.repo_id = r.id AND s.computed_at > NOW() - INTERVAL '7 days'
    WHERE r.archived = false AND s.id IS NULL
    ORDER BY r.id;`);
  expect(unscored).toEqual([]);
  await operator().paste(`SELECT pid, now() - query_start AS duration, query
    FROM pg_stat_activity
    WHERE state = 'active' AND now() - query_start > interval '5 seconds'
    ORDER BY duration DESC;`);
  const [progress] = await operator().paste(`SELECT COUNT(*) AS total,
    SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS completed,
    SUM(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending,
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed
    FROM jobs WHERE job_type = 'backfill' AND created_at > NOW() - INTERVAL '1 day';`);
  expect(progress).toEqual({ total: 1, completed: 1, pending: 0, failed: 0 });
});

test("at the end nothing is lost, every change is in the audit, and its chain holds (X-02)", async () => {
  await quiet();
  const statuses = await operator().paste(
    "SELECT status, count(*) FROM jobs WHERE job_type <> 'notice' GROUP BY 1",
  );
  expect(statuses.map(({ status }) => status).sort()).toEqual([
    "cancelled",
    "completed",
    "failed",
    "quarantined",
  ]);
  const audited = await operator().paste(
    "SELECT FROM audit_log WHERE action = 'job.changed-by-sql'",
  );
  expect(audited).toHaveLength(operator().moved());
  const verified = await cli(["audit", "verify"], { env: { DATABASE_URL: operator().url } });
  expect(verified).toMatchObject({ code: 0, out: expect.stringContaining("the chain holds") });
  expect(operator().service.log.filter(({ level }) => level === "error")).toMatchObject([
    { event: "job.quarantined", job_id: "job-789" },
    { event: "job.quarantined", job_type: "ingest" },
  ]);
});
