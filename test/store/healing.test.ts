import { expect, test } from "vitest";
import {
  fillHealingOutcome,
  logHealing,
  type NewHealingEntry,
  readHealingOfJob,
} from "../../src/store/healing.js";
import { createRuntimeReader } from "../../src/store/runbook-runtime.js";
import { withDatabase } from "../support/database.js";

const retry: NewHealingEntry = {
  jobId: "job-7",
  workerId: "identity-worker-3",
  failureType: "transient",
  strategy: "retry",
  attemptNumber: 2,
  context: { error: "503", backoff_ms: 4_000, next_retry_at: "2030-01-01T00:00:04.000Z" },
  operatorNotified: false,
};

test("an action is logged with its outcome open (HB-heal-09, X-17)", () =>
  withDatabase(async (db) => {
    const { seq, id } = await logHealing(db, retry);
    expect(id).toBe(`log-${seq}`);
    const [entry] = await readHealingOfJob(db, retry.jobId);
    const { createdAt } = entry!;
    const nextAt = new Date(createdAt.getTime() + 4_000).toISOString();
    expect(entry).toEqual({
      ...{ ...retry, seq, id, success: null, createdAt },
      context: { ...retry.context, next_retry_at: nextAt },
    });
  }));

test("an outcome is filled in once, for that job's open actions only", () =>
  withDatabase(async (db) => {
    await logHealing(db, retry);
    await logHealing(db, { ...retry, jobId: "job-8" });
    expect(await fillHealingOutcome(db, 7, true)).toBe(1);
    expect(await fillHealingOutcome(db, 7, false)).toBe(0);
    expect(await readHealingOfJob(db, "job-7")).toMatchObject([{ success: true }]);
    expect(await readHealingOfJob(db, "job-8")).toMatchObject([{ success: null }]);
    expect(await fillHealingOutcome(db, 9, true)).toBe(0);
  }));

test("an outcome that is known at once is kept", () =>
  withDatabase(async (db) => {
    const quarantine = { failureType: "data", strategy: "quarantine", success: true } as const;
    await logHealing(db, { ...retry, ...quarantine, workerId: null, operatorNotified: true });
    expect(await fillHealingOutcome(db, 7, false)).toBe(0);
    expect(await readHealingOfJob(db, "job-7")).toMatchObject([
      { success: true, workerId: null, operatorNotified: true },
    ]);
  }));

test("recent actions come newest first, inside the window and the limit", () =>
  withDatabase(async (db) => {
    for (const attemptNumber of [1, 2, 3]) await logHealing(db, { ...retry, attemptNumber });
    await db.query(
      "UPDATE healdec_log SET created_at = now() - interval '2 hours' WHERE attempt_number = 1",
    );
    const reader = createRuntimeReader(db, { check: () => [], workerDeadAfterMs: 15_000 });
    const numbers = async (sinceMs: number, limit: number) =>
      (await reader.healing({ sinceMs, limit })).map(({ attempt }) => attempt);
    expect(await numbers(3_600_000, 10)).toEqual([3, 2]);
    expect(await numbers(3_600_000, 1)).toEqual([3]);
    expect(await numbers(86_400_000, 10)).toEqual([3, 2, 1]);
  }));

test("a failure type or strategy that is not the handbook's is refused by the database", () =>
  withDatabase(async (db) => {
    await expect(
      db.query(
        `INSERT INTO healdec_log (job_id, failure_type, strategy, attempt_number) VALUES ('job-1', 'bogus', 'retry', 1)`,
      ),
    ).rejects.toMatchObject({ code: "DATABASE_ERROR" });
  }));
