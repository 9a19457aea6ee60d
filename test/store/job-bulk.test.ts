import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listAudit, verifyAudit } from "../../src/store/audit.js";
import { type BulkRequest, countBulk, runBulk } from "../../src/store/job-bulk.js";
import { listJobs } from "../../src/store/job-list.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => database.db.query("TRUNCATE public.jobs RESTART IDENTITY"));

/** As plain SQL makes them, in this status. */
async function fill(count: number, status: string, kind = "index"): Promise<void> {
  await database.db.query(
    `INSERT INTO jobs (job_type, status, attempts, error, completed_at)
     SELECT $2, $3, 3, 'boom ' || n, CASE WHEN $3 NOT IN ('pending', 'running') THEN now() END FROM generate_series(1, $1) n`,
    [count, kind, status],
  );
}

const START = new Date("2026-03-01T12:00:00Z");

async function act(request: Partial<BulkRequest> & Pick<BulkRequest, "action" | "filter">) {
  const confirmed = await countBulk(database.db, request);
  return runBulk(database.db, {
    ...{ asked: {}, confirmed, actor: "cli:ann", reason: "fixed", startAt: START, spacingMs: 100 },
    isOver: () => false,
    ...request,
  });
}

async function statuses(): Promise<Record<string, number>> {
  const { rows } = await database.db.query<{ status: string; count: number }>(
    "SELECT status, count(*) FROM jobs GROUP BY status",
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

describe("a retry in bulk", () => {
  test("counts what it would move and what it would leave, and moves nothing by counting", async () => {
    await fill(3, "failed");
    await fill(2, "running");
    await fill(1, "completed");
    await fill(4, "failed", "notice");
    expect(await countBulk(database.db, { action: "retry", filter: {} })).toEqual({
      ...{ count: 3, upToSeq: 10, skipped: { running: 2, completed: 1 } },
    });
    expect(await statuses()).toEqual({ failed: 7, running: 2, completed: 1 });
  });

  test("moves each once, spread over time, over more than one batch, all in the audit (X-03)", async () => {
    await fill(1_100, "failed");
    await fill(5, "failed", "score");
    const filter = { status: "failed", kind: "index" } as const;
    expect(await act({ action: "retry", filter })).toEqual({ acted: 1_100, stopped: null });
    expect(await statuses()).toEqual({ pending: 1_100, failed: 5 });
    const [first, second] = await listJobs(database.db, { limit: 2, afterSeq: 0 }).then((jobs) =>
      jobs.reverse(),
    );
    expect(first).toMatchObject({
      attempts: 0,
      error: null,
      completedAt: null,
      scheduledAt: START,
    });
    expect(second?.scheduledAt).toEqual(new Date(START.getTime() + 100));
    const [last] = await listJobs(database.db, { limit: 1, kind: "index" });
    expect(last?.scheduledAt).toEqual(new Date(START.getTime() + 1_099 * 100));
    const [newest, ...older] = await listAudit(database.db, { limit: 1_101 });
    expect(newest).toMatchObject({
      ...{ actor: "cli:ann", action: "job.retried", target: "job-1100" },
      details: { status: "failed", attempts: 3, error: "boom 1100", reason: "fixed" },
    });
    const request = older.at(-1)!;
    expect(request).toMatchObject({ action: "jobs.bulk-requested", details: { confirmed: 1_100 } });
    expect(newest?.details.bulk).toBe(request.seq);
    expect(await verifyAudit(database.db)).toMatchObject({ ok: true });
  });

  test("does nothing when more match than were confirmed, and stops at what was", async () => {
    await fill(3, "failed");
    const confirmed = await countBulk(database.db, { action: "retry", filter: {} });
    await fill(1, "failed");
    // Numbered later than what was counted: not meant.
    expect(await act({ action: "retry", filter: {}, confirmed })).toMatchObject({ acted: 3 });
    await fill(2, "running");
    const few = await countBulk(database.db, { action: "retry", filter: {} });
    expect(few.count).toBe(1);
    await database.db.query("UPDATE jobs SET status = 'failed' WHERE status = 'running'");
    const grown = await act({ action: "retry", filter: {}, confirmed: few });
    expect(grown).toEqual({ acted: 0, stopped: "grown" });
    expect(await statuses()).toEqual({ pending: 3, failed: 3 });
  });

  test("that ran out of time has moved whole batches, and says so", async () => {
    await fill(600, "failed");
    let looks = 0;
    const result = await act({ action: "retry", filter: {}, isOver: () => ++looks > 1 });
    expect(result).toEqual({ acted: 500, stopped: "time" });
    expect(await statuses()).toEqual({ pending: 500, failed: 100 });
  });

  test("of two with one key leaves the key to the younger, and takes it from none that waits", async () => {
    const { db } = database;
    await db.query(
      `INSERT INTO jobs (job_type, status, unique_key, completed_at) VALUES
       ('index', 'failed', 'a', now()), ('index', 'failed', 'a', now()),
       ('index', 'failed', 'b', now()), ('index', 'pending', 'b', NULL)`,
    );
    expect(await act({ action: "retry", filter: {} })).toMatchObject({ acted: 3 });
    const { rows } = await db.query("SELECT unique_key FROM jobs ORDER BY seq");
    expect(rows.map(({ unique_key: key }: { unique_key?: unknown }) => key)).toEqual([
      ...[null, "a", null, "b"],
    ]);
  });
});

describe("a cancel in bulk", () => {
  test("ends what waits and what runs, and leaves what has ended", async () => {
    await fill(2, "pending");
    await fill(1, "running");
    await fill(1, "completed");
    await fill(1, "pending", "runbook");
    expect(await act({ action: "cancel", filter: {} })).toEqual({ acted: 3, stopped: null });
    expect(await statuses()).toEqual({ cancelled: 3, completed: 1, pending: 1 });
    const [job] = await listJobs(database.db, { limit: 1, status: "cancelled" });
    expect(job).toMatchObject({ error: "cancelled by cli:ann: fixed", workerId: null });
    expect(job?.completedAt).toBeInstanceOf(Date);
  });
});

describe("the list", () => {
  const ids = async (page: Omit<Parameters<typeof listJobs>[1], "limit">) =>
    (await listJobs(database.db, { limit: 10, ...page })).map(({ seq }) => seq);

  test("has every filter, and pages to both sides that new jobs do not move (EP-04)", async () => {
    const { db } = database;
    await db.query(
      `INSERT INTO jobs (job_type, status, priority, error, requested_by, parent_seq, unique_key, created_at) VALUES
       ('index', 'failed', 9, 'git: no such remote', 'api:ann', 7, 'k', '2026-03-01T10:00Z'),
       ('index', 'pending', 5, 'gitea: away', 'api:bob', NULL, NULL, '2026-03-01T11:00Z'),
       ('score', 'failed', 5, NULL, 'api:ann', NULL, NULL, '2026-03-01T12:00Z')`,
    );
    expect(await ids({ errorPrefix: "git: " })).toEqual([1]);
    expect(await ids({ errorPrefix: "git" })).toEqual([2, 1]);
    expect(await ids({ requestedBy: "api:ann" })).toEqual([3, 1]);
    expect(await ids({ requestedBy: "api:ann", kind: "score" })).toEqual([3]);
    expect(await ids({ parentSeq: 7 })).toEqual([1]);
    expect(await ids({ priority: 9 })).toEqual([1]);
    expect(await ids({ uniqueKey: "k" })).toEqual([1]);
    const eleven = new Date("2026-03-01T11:00Z");
    expect(await ids({ since: eleven })).toEqual([3, 2]);
    expect(await ids({ until: eleven })).toEqual([1]);
    expect(await ids({ status: "failed", since: eleven })).toEqual([3]);
    const pageOf = async (page: object) =>
      (await listJobs(db, { limit: 2, ...page })).map(({ seq }) => seq);
    expect(await pageOf({})).toEqual([3, 2]);
    await fill(2, "pending");
    expect(await pageOf({ beforeSeq: 2 })).toEqual([1]);
    expect(await pageOf({ afterSeq: 1 })).toEqual([3, 2]);
    expect(await pageOf({ afterSeq: 3 })).toEqual([5, 4]);
  });
});
