import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { whyNotRunning } from "../../src/job/why.js";
import { pauseQueue } from "../../src/store/pauses.js";
import { readQueueController } from "../../src/store/queue-controller.js";
import { enterSafeMode, exitSafeMode } from "../../src/store/safe-mode.js";
import { readWhyFacts } from "../../src/store/why.js";
import { registerWorker } from "../../src/store/workers.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy, makeWorkerKind } from "../support/make-policy.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.db.query(
    "TRUNCATE public.jobs, public.workers, control.queue_pause, control.job_attempt, control.dependency, control.rollback RESTART IDENTITY",
  );
});

const sql = (text: string) => database.db.query(text);
const policy = makePolicy({
  workers: {
    index: makeWorkerKind("index", { rateLimit: { max: 2, perMs: 60_000 } }),
    score: makeWorkerKind("score"),
  },
});
const factsOf = async (seq: number) =>
  (await readWhyFacts(database.db, { seq, policy, cap: 100 })) ?? expect.fail("no such job");
const codesOf = async (seq: number) => whyNotRunning(await factsOf(seq)).map(({ code }) => code);

/** A live process that takes these kinds. */
async function beWorker(kinds: string[]): Promise<string> {
  const worker = { lane: "general", kinds, hostname: "here", pid: 1 } as const;
  return (await registerWorker(database.db, worker)).id;
}

describe("what is known about a job that waits", () => {
  test("pauses in force, its own and that of all; not those that are over", async () => {
    const { db } = database;
    await beWorker(["score"]);
    await sql("INSERT INTO jobs (job_type) VALUES ('score')");
    expect(await codesOf(1)).toEqual(["ready"]);
    const expiresAt = new Date(Date.now() + 60_000);
    await pauseQueue(db, { kind: "*", reason: "deployment", by: "ann", expiresAt });
    await pauseQueue(db, { kind: "score", reason: "disk", by: "bob", expiresAt: null });
    expect(await factsOf(1)).toMatchObject({
      pause: { reason: "disk", by: "bob", until: null },
      pauseOfAll: { reason: "deployment", by: "ann", until: expiresAt },
    });
    await sql("UPDATE control.queue_pause SET expires_at = now() - interval '1 second'");
    expect(await codesOf(1)).toEqual(["ready"]);
  });

  test("a rollback of it that was begun and not ended, and none of others", async () => {
    await beWorker(["score"]);
    await sql("INSERT INTO jobs (job_type) VALUES ('score'), ('score')");
    await sql(
      "INSERT INTO control.rollback (job_seq, fault_kind, code, message) VALUES (1, 'partial', 'HALF_DONE', 'x')",
    );
    expect((await factsOf(1)).rollback).toEqual({ code: "HALF_DONE" });
    expect((await factsOf(2)).rollback).toBeNull();
  });

  test("safe mode, unless its type passes; live workers of its type, not others", async () => {
    await beWorker(["repair"]);
    const dead = await beWorker(["score"]);
    await database.db.query(
      "UPDATE workers SET last_heartbeat = now() - interval '1 minute' WHERE id = $1",
      [dead],
    );
    await sql("INSERT INTO jobs (job_type) VALUES ('score'), ('repair')");
    await enterSafeMode(database.db, { reason: "disk gone", by: "healdec" });
    expect(await codesOf(1)).toEqual(["safe-mode", "no-worker"]);
    expect((await factsOf(2)).safeMode).toBeNull();
    await exitSafeMode(database.db, { by: "ann", reason: "a new disk" });
  });

  test("how many come before it: a level of priority is worth ten minutes of waiting", async () => {
    await sql(
      `INSERT INTO jobs (job_type, priority, scheduled_at) VALUES
       ('score', 5, now() - interval '15 minutes'), ('score', 6, now() - interval '1 minute'),
       ('score', 7, now()), ('score', 10, now() + interval '1 hour'), ('index', 10, now())`,
    );
    const ahead = await Promise.all([1, 2, 3, 4].map(async (seq) => (await factsOf(seq)).ahead));
    expect(ahead).toEqual([1, 2, 0, 0]);
  });

  test("what its last attempt waited for, as long as that is closed", async () => {
    await sql(
      "INSERT INTO jobs (job_type, scheduled_at) VALUES ('score', now() + interval '1 hour')",
    );
    await sql(
      `INSERT INTO control.job_attempt (job_seq, fence, attempt, worker_id, started_at, outcome, error_code, error) VALUES
       (1, 1, 1, 'w', now(), 'failed', 'X', 'pagerduty fails'),
       (1, 3, 1, 'w', now(), 'waiting', 'BREAKER_OPEN', 'slack fails: it is left alone for now')`,
    );
    await sql(
      `INSERT INTO control.dependency (name, state, reason, changed_by) VALUES
       ('slack', 'open', '3 of 4 calls failed', 'healdec'), ('pagerduty', 'open', 'away', 'healdec')`,
    );
    expect((await factsOf(1)).dependency).toEqual({ name: "slack", reason: "3 of 4 calls failed" });
    await sql(
      "UPDATE control.dependency SET state = 'closed', gate_until = now() + interval '1 hour'",
    );
    expect((await factsOf(1)).dependency).toMatchObject({ name: "slack" });
    await sql("UPDATE control.dependency SET gate_until = NULL");
    expect(await codesOf(1)).toEqual(["no-worker", "not-due"]);
  });

  test("how many starts its type's rate still allows, refilled to this moment", async () => {
    await sql("INSERT INTO jobs (job_type) VALUES ('index')");
    expect((await factsOf(1)).rate).toEqual({ tokens: 2, max: 2, perMs: 60_000 });
    await sql(
      "INSERT INTO control.rate_bucket (job_type, tokens, updated_at) VALUES ('index', 0, now() - interval '15 seconds')",
    );
    const { rate } = await factsOf(1);
    expect(rate?.tokens).toBeGreaterThanOrEqual(0.5);
    expect(rate?.tokens).toBeLessThan(1);
    expect(await codesOf(1)).toEqual(["no-worker", "rate-limited"]);
  });
});

describe("what is known about a job that a worker holds", () => {
  test("whether its handler has begun, and whether the process beats; the queues count it so too", async () => {
    const id = await beWorker(["score"]);
    await database.db.query(
      `INSERT INTO jobs (job_type, status, worker_id, started_at) VALUES
       ('score', 'running', $1, now() - interval '5 seconds'), ('score', 'running', $1, now() - interval '5 seconds'),
       ('score', 'running', $1, now() + interval '5 seconds')`,
      [id],
    );
    await sql("UPDATE workers SET started_jobs = '{1}'");
    const codes = await Promise.all([1, 2, 3].map(codesOf));
    // The third was taken after the last beat: nothing is known of it yet.
    expect(codes).toEqual([["running"], ["buffered"], ["running"]]);
    const queues = await readQueueController(database.db, 15_000);
    expect(queues.find(({ name }) => name === "score")).toEqual({
      ...{ name: "score", waiting: 0, running: 3, buffered: 1, workers: 1 },
    });
    await sql("UPDATE workers SET last_heartbeat = now() - interval '1 minute'");
    expect(await codesOf(1)).toEqual(["worker-silent"]);
  });
});
