import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { SchemaFinding } from "../../src/base/schema.js";
import { listAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { cancelJob, correctPayload, retryJob } from "../../src/store/job-actions.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob, failJob } from "../../src/store/job-settle.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";

const ANN = "cli:ann";

async function claimOne(db: Database) {
  const kinds = [{ kind: "index", free: 1, globalMax: null }];
  const [held] = await claimJobs(db, {
    ...{ workerId: "general-worker-1", kinds, max: 1, globalCap: null },
  });
  return held!;
}

async function jobWithStatus(db: Database, status: string): Promise<number> {
  const { seq } = await enqueueJob(db, { kind: "index", payload: { repo: 1 } });
  if (status === "pending") return seq;
  const held = await claimOne(db);
  if (status === "completed") await completeJob(db, held, "ok");
  if (status === "failed" || status === "quarantined")
    await failJob(db, held, { status, error: "boom" });
  if (status === "cancelled") await cancelJob(db, { seq, actor: ANN, reason: "no need" });
  return seq;
}

async function actions(db: Database): Promise<string[]> {
  return (await listAudit(db, { limit: 100 })).map(({ action }) => action);
}

describe("retry", () => {
  test.each(["failed", "quarantined", "cancelled"])(
    "of a %s job makes it pending, as new",
    (status) =>
      withDatabase(async (db) => {
        const seq = await jobWithStatus(db, status);
        const { outcome, job } = await retryJob(db, { seq, actor: ANN });
        expect(outcome).toBe("retried");
        expect(job).toMatchObject({ status: "pending", attempts: 0, error: null });
        expect(job).toMatchObject({ completedAt: null, startedAt: null, workerId: null });
        expect((await actions(db))[0]).toBe("job.retried");
      }),
  );

  test("of a job that killed its workers takes the charges back: a person vouches for it", () =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, "quarantined");
      await db.query("UPDATE jobs SET crash_count = 3 WHERE seq = $1", [seq]);
      await retryJob(db, { seq, actor: ANN });
      const { rows } = await db.query("SELECT crash_count FROM jobs WHERE seq = $1", [seq]);
      expect(rows).toEqual([{ crash_count: 0 }]);
    }));

  test("by plain SQL takes the charges back too, but not of a job that runs", () =>
    withDatabase(async (db) => {
      await jobWithStatus(db, "quarantined");
      await jobWithStatus(db, "running");
      await db.query("UPDATE jobs SET crash_count = 3");
      await db.query("UPDATE jobs SET status = 'pending', attempts = 0");
      const { rows } = await db.query("SELECT status, crash_count, fence FROM jobs ORDER BY seq");
      expect(rows).toEqual([
        { status: "pending", crash_count: 0, fence: 4 },
        { status: "pending", crash_count: 3, fence: 3 },
      ]);
    }));

  test.each([
    ["pending", "already-pending"],
    ["running", "running"],
    ["completed", "completed"],
  ])("of a %s job changes nothing and says so (X-01)", (status, expected) =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, status);
      const before = await readJob(db, seq);
      expect(await retryJob(db, { seq, actor: ANN })).toEqual({ outcome: expected, job: before });
      expect(await readJob(db, seq)).toEqual(before);
      expect(await actions(db)).toEqual([]);
    }),
  );

  test("of an unknown job is not found", () =>
    withDatabase(async (db) => {
      expect(await retryJob(db, { seq: 4711, actor: ANN })).toEqual({ outcome: "not-found" });
    }));

  test("by force of a running job ends its worker's hold", () =>
    withDatabase(async (db) => {
      const { seq } = await enqueueJob(db, { kind: "index", payload: {} });
      const held = await claimOne(db);
      expect((await retryJob(db, { seq, actor: ANN, force: true })).outcome).toBe("retried");
      expect(await completeJob(db, held, "late")).toBe(false);
      expect(await readJob(db, seq)).toMatchObject({ status: "pending", result: null });
      const [entry] = await listAudit(db, { limit: 1 });
      expect(entry!.details).toMatchObject({ status: "running", forced: true });
    }));

  test("of a job whose unique key a younger one has taken gives the key up", () =>
    withDatabase(async (db) => {
      const job = { kind: "index", payload: {}, uniqueKey: "index:1" };
      const older = await enqueueJob(db, job);
      await cancelJob(db, { seq: older.seq, actor: ANN, reason: "wrong" });
      const younger = await enqueueJob(db, job);
      expect((await retryJob(db, { seq: older.seq, actor: ANN })).outcome).toBe("retried");
      expect(await enqueueJob(db, job)).toEqual({ ...younger, created: false });
    }));

  test("of a job whose unique key is being taken by another gives the key up, and does not fail", () =>
    withDatabase(async (db) => {
      const job = { kind: "index", payload: {}, uniqueKey: "index:1" };
      const older = await enqueueJob(db, job);
      await cancelJob(db, { seq: older.seq, actor: ANN, reason: "wrong" });
      let retried: ReturnType<typeof retryJob> | undefined;
      await db.transaction(async (tx) => {
        await enqueueJob(tx, job);
        retried = retryJob(db, { seq: older.seq, actor: ANN });
        await until(
          async () =>
            (
              await db.query(
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
              )
            ).rowCount > 0,
          "the retry waits for the key",
        );
      });
      expect(await retried).toMatchObject({ outcome: "retried", job: { uniqueKey: null } });
    }));

  test("by two people at once happens once", () =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, "failed");
      const outcomes = await Promise.all([1, 2].map(() => retryJob(db, { seq, actor: ANN })));
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(["already-pending", "retried"]);
      expect(await actions(db)).toEqual(["job.retried"]);
    }));

  test("during a mass reset by plain SQL does not deadlock", () =>
    withDatabase(async (db) => {
      const seqs: number[] = [];
      for (let index = 0; index < 30; index++) seqs.push(await jobWithStatus(db, "failed"));
      const reset = "UPDATE jobs SET status = 'pending', attempts = 0 WHERE status = 'failed'";
      await Promise.all([
        db.query(reset),
        ...[...seqs].reverse().map((seq) => retryJob(db, { seq, actor: ANN })),
      ]);
      const { rows } = await db.query("SELECT DISTINCT status FROM jobs");
      expect(rows).toEqual([{ status: "pending" }]);
      expect(await actions(db)).toHaveLength(seqs.length);
    }));
});

describe("cancel", () => {
  test.each(["pending", "running", "failed", "quarantined"])(
    "of a %s job ends it for good",
    (status) =>
      withDatabase(async (db) => {
        const seq = await jobWithStatus(db, status);
        const { outcome, job } = await cancelJob(db, { seq, actor: ANN, reason: "duplicate" });
        expect(outcome).toBe("cancelled");
        expect(job).toMatchObject({
          status: "cancelled",
          error: "cancelled by cli:ann: duplicate",
        });
        expect(job!.completedAt).not.toBeNull();
        expect(await actions(db)).toEqual(["job.cancelled"]);
      }),
  );

  test("of a running job makes its late finish change nothing (X-79)", () =>
    withDatabase(async (db) => {
      const { seq } = await enqueueJob(db, { kind: "index", payload: {} });
      const held = await claimOne(db);
      await cancelJob(db, { seq, actor: ANN, reason: "stop" });
      expect(await completeJob(db, held, "late")).toBe(false);
      expect((await readJob(db, seq))!.status).toBe("cancelled");
    }));

  test.each([
    ["completed", "completed"],
    ["cancelled", "already-cancelled"],
  ])("of a %s job changes nothing and says so", (status, expected) =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, status);
      const before = await readJob(db, seq);
      const result = await cancelJob(db, { seq, actor: ANN, reason: "again" });
      expect(result).toEqual({ outcome: expected, job: before });
      expect(await readJob(db, seq)).toEqual(before);
    }),
  );

  test("of an unknown job is not found", () =>
    withDatabase(async (db) => {
      const request = { seq: 4711, actor: ANN, reason: "x" };
      expect(await cancelJob(db, request)).toEqual({ outcome: "not-found" });
    }));
});

describe("correcting a payload", () => {
  const finding: SchemaFinding = {
    ...{ pointer: "/repo", message: "must be string", keyword: "type", params: {} },
  };
  const check = (_kind: string, payload: JsonObject) =>
    typeof payload.repo === "string" ? [] : [finding];

  test("keeps the status, and puts both payloads in the audit (X-64)", () =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, "quarantined");
      const payload = { repo: "r1" };
      const { outcome, job } = await correctPayload(db, { seq, actor: ANN, payload, check });
      expect(outcome).toBe("corrected");
      expect(job).toMatchObject({ payload, status: "quarantined", error: "boom" });
      const [entry] = await listAudit(db, { limit: 1 });
      expect(entry).toMatchObject({
        action: "job.payload-corrected",
        details: { before: { repo: 1 }, after: payload },
      });
    }));

  test("that does not fit changes nothing and says what is wrong", () =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, "failed");
      const payload = { repo: 2 };
      const result = await correctPayload(db, { seq, actor: ANN, payload, check });
      expect(result).toMatchObject({ outcome: "invalid", findings: [finding] });
      expect((await readJob(db, seq))!.payload).toEqual({ repo: 1 });
      expect(await actions(db)).toEqual([]);
    }));

  test("is refused for a job that did not fail, and for one that is not there", () =>
    withDatabase(async (db) => {
      const seq = await jobWithStatus(db, "running");
      const request = { actor: ANN, payload: { repo: "r1" }, check };
      expect((await correctPayload(db, { seq, ...request })).outcome).toBe("wrong-status");
      expect(await correctPayload(db, { seq: 4711, ...request })).toEqual({ outcome: "not-found" });
    }));
});
