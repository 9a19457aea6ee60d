/** The runbooks themselves, on a real database and through the real shell. They wait for their jobs side by side, each on a database of its own. */
import { beforeAll, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import type { JsonObject } from "../../src/base/json.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import type { Database } from "../../src/store/database.js";
import { logHealing } from "../../src/store/healing.js";
import { writeAttempts } from "../../src/store/job-attempts.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import { beginStep, keepPlan, readSteps } from "../../src/store/run-steps.js";
import { readRun, startRun } from "../../src/store/runs.js";
import { withDatabase } from "../support/database.js";
import { holdNewJob } from "../support/held-job.js";
import { queueRun, workOn } from "../support/runbook-world.js";
import { until } from "../support/until.js";

let registry: RunbookRegistry;
beforeAll(async () => {
  registry = await loadRunbooks();
});
const shell = createShell({ redact: (text) => text });

/** Runs it to its end and answers with the run's row. */
async function run(db: Database, name: string, params: JsonObject = {}, dryRun = false) {
  const id = await queueRun(db, registry, name, { params, dryRun });
  await workOn({ db, registry, shell }, id);
  return (await readRun(db, id))!;
}

async function makeJob(db: Database, status: string, error: string | null = null): Promise<number> {
  const { seq } = await enqueueJob(db, { kind: "index", payload: {} });
  await move(db, seq, status, error);
  return seq;
}

/** As a worker would: with a fence that grows. */
async function move(db: Database, seq: number, status: string, error: string | null = null) {
  await db.query(
    "UPDATE jobs SET status = $2, error = $3, attempts = 1, fence = fence + 1 WHERE seq = $1",
    [seq, status, error],
  );
}

const addJobs = (db: Database, kind: string, count: number) =>
  enqueueJobs(
    db,
    Array.from({ length: count }, () => ({ kind, payload: {} })),
  );

test("those of the issue are there, each reads in its own words, and none is a surprise", () => {
  expect(registry.list().map(({ runbook }) => `${runbook.name} ${runbook.danger}`)).toEqual([
    "healdec-report R",
    "inspect-job R",
    "pause-queue V",
    "queue-depth R",
    "rerun-job V",
    "respond-queue-backlog V",
    "resume-queue V",
  ]);
});

describe.concurrent("rerun-job", () => {
  test("sets a failed job to pending and follows it until it is completed", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "failed", "the network was away");
      const ending = run(db, "rerun-job", { job: `job-${seq}`, reason: "it is back" });
      await until(async () => (await readJob(db, seq))?.status === "pending", "the job is pending");
      await move(db, seq, "completed");
      expect(await ending).toMatchObject({
        status: "succeeded",
        outcome: `job-${seq} completed on attempt 1`,
        plan: { text: `job-${seq} (index) is failed with 1 attempts, after: the network was away` },
      });
      const { rows } = await db.query(
        "SELECT actor, details->>'reason' AS reason FROM audit_log WHERE action = 'job.retried'",
      );
      expect(rows).toEqual([{ actor: "ann", reason: "it is back" }]);
    }));

  test("has failed when the job fails again, and tells the new error", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "quarantined", "bad data");
      const ending = run(db, "rerun-job", { job: String(seq) });
      await until(async () => (await readJob(db, seq))?.status === "pending", "the job is pending");
      await move(db, seq, "quarantined", "still bad data");
      expect(await ending).toMatchObject({
        status: "failed",
        outcome: `job-${seq} is quarantined again: still bad data`,
      });
    }));

  test.each([
    ["pending", /only a failed, quarantined or cancelled job/],
    ["completed", /only a failed, quarantined or cancelled job/],
    ["running", /force=true takes it from its worker/],
  ])("leaves a %s job alone", (status, words) =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, status);
      const before = await readJob(db, seq);
      expect(await run(db, "rerun-job", { job: `job-${seq}` })).toMatchObject({
        status: "failed",
        outcome: expect.stringMatching(words),
      });
      expect(await readJob(db, seq)).toEqual(before);
    }),
  );

  test("says that there is no such job", () =>
    withDatabase(async (db) => {
      expect(await run(db, "rerun-job", { job: "job-999" })).toMatchObject({
        status: "failed",
        outcome: "there is no job-999",
      });
    }));

  test("does not retry twice when it was interrupted after the retry", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "failed");
      const id = await queueRun(db, registry, "rerun-job", { params: { job: `job-${seq}` } });
      const taken = (await startRun(db, id))!;
      const { rows } = await db.query<{ fence: number }>("SELECT fence FROM jobs WHERE seq = $1", [
        seq,
      ]);
      await keepPlan(db, taken, { text: "", changes: [], facts: { fence: rows[0]!.fence } });
      await beginStep(db, taken, { phase: "act", ordinal: 0, name: "set the job to pending" });
      await move(db, seq, "pending");
      await move(db, seq, "completed");
      await workOn({ db, registry, shell }, id);
      expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
      const retried = await db.query("SELECT 1 FROM audit_log WHERE action = 'job.retried'");
      expect(retried.rowCount).toBe(0);
    }));

  test("only tells what it would do when it is dry", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "failed");
      const { output } = await run(db, "rerun-job", { job: `job-${seq}` }, true);
      expect(output?.text).toContain(`would set job-${seq} to pending`);
      expect((await readJob(db, seq))?.status).toBe("failed");
    }));
});

describe.concurrent("the reading ones", () => {
  test("inspect-job shows a job with what healing and people did to it", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "failed", "no route to host");
      await logHealing(db, {
        jobId: `job-${seq}`,
        workerId: null,
        failureType: "transient",
        strategy: "retry",
        attemptNumber: 1,
        success: false,
        context: { error: "no route to host" },
        operatorNotified: false,
      });
      await db.query("UPDATE jobs SET status = 'pending' WHERE seq = $1", [seq]);
      const { status, output } = await run(db, "inspect-job", { job: `job-${seq}` });
      expect(status).toBe("succeeded");
      expect(output?.text).toMatch(/\(index\) is pending, 1 attempts, .*no route to host$/);
      expect(output?.table?.rows.map(([, , what]) => what)).toEqual([
        "job.changed-by-sql",
        "transient failure, retry did not help",
      ]);
    }));

  test("inspect-job shows how far the newest attempt came, what it logged, and where it failed", () =>
    withDatabase(async (db) => {
      const job = await holdNewJob(db);
      const at = new Date("2026-06-15T12:00:00Z");
      const trace = ["Error: boom", ...Array.from({ length: 20 }, (_, n) => `    at f${n}`)];
      const error = { code: "UNEXPECTED", message: "boom", trace: trace.join("\n") };
      await writeAttempts(db, [
        {
          ...{ jobSeq: job.seq, fence: job.fence, attempt: 1, workerId: "index-worker-7" },
          ...{ startedAt: at, end: { at, outcome: "failed", error } },
          ...{ progress: 0.29, note: "430 of 1482", linesLeftOut: 0 },
          lines: [{ ordinal: 1, at, level: "warn", message: "repo.unreadable repo=alpha" }],
        },
      ]);
      const { output } = await run(db, "inspect-job", { job: job.id });
      expect(output?.text.split("\n").slice(1)).toEqual([
        "attempt 1 came to 29 %: 430 of 1482",
        ...trace.slice(0, 8).map((line) => `| ${line.trimStart()}`),
      ]);
      expect(output?.table?.rows).toEqual([
        [at.toISOString(), "attempt 1", "warn: repo.unreadable repo=alpha"],
      ]);
    }));

  test("queue-depth counts by kind and leaves our own kinds out", () =>
    withDatabase(async (db) => {
      await addJobs(db, "index", 3);
      await makeJob(db, "failed");
      await pauseQueue(db, { kind: "index", reason: "storm", by: "ann", expiresAt: null });
      const { output } = await run(db, "queue-depth");
      expect(output?.text).toBe(
        "3 jobs wait, 0 run on 0 live worker processes\nindex is paused by ann: storm",
      );
      expect(output?.table?.rows[0]).toMatchObject(
        ["index", "3", /\ds$/, "0", "1", "0", "yes"].map((it) =>
          typeof it === "string" ? it : expect.stringMatching(it),
        ),
      );
      expect(output?.table?.rows.map(([kind]) => kind)).not.toContain("runbook");
    }));

  test("healdec-report reads the last hour, and says when nothing happened", () =>
    withDatabase(async (db) => {
      expect(await run(db, "healdec-report")).toMatchObject({
        outcome: "nothing needed healing in the last 1h",
      });
      const seq = await makeJob(db, "failed");
      const entry = {
        jobId: `job-${seq}`,
        workerId: null,
        failureType: "crash",
        strategy: "restart",
        attemptNumber: 2,
        context: { error: "killed" },
        operatorNotified: false,
      } as const;
      await logHealing(db, { ...entry, success: true });
      await logHealing(db, { ...entry, success: null });
      const { output } = await run(db, "healdec-report", { window: "10m", limit: "5" });
      expect(output?.text).toBe(
        "2 healing actions in the last 10m: 1 worked, 0 did not help, 1 not yet known",
      );
      expect(output?.table?.rows[0]?.slice(1)).toEqual([
        `job-${seq}`,
        "index",
        "crash",
        "restart, attempt 2",
        "not yet known",
        "killed",
      ]);
    }));
});

describe.concurrent("pause-queue and resume-queue", () => {
  test("pause with an expiry, watch that nothing starts, and resume", () =>
    withDatabase(async (db) => {
      expect(
        await run(db, "pause-queue", { kind: "score", for: "10m", reason: "storm" }),
      ).toMatchObject({
        status: "succeeded",
        outcome: "score is paused for 10m: no job of it starts",
      });
      const [pause] = await listPauses(db);
      expect(pause).toMatchObject({ kind: "score", pausedBy: "ann", reason: "storm" });
      expect(pause!.expiresAt!.getTime() - pause!.pausedAt.getTime()).toBeGreaterThan(590_000);
      await pauseQueue(db, { kind: "*", reason: "a deployment", by: "eve", expiresAt: null });
      expect(await run(db, "resume-queue", { kind: "index" })).toMatchObject({
        status: "failed",
        outcome: expect.stringContaining("index stands still: all was paused by eve: a deployment"),
      });
      expect(await run(db, "resume-queue", { kind: "all" })).toMatchObject({
        status: "succeeded",
        output: { text: "resumed all, score" },
      });
      expect(await listPauses(db)).toEqual([]);
    }));

  test("a pause in spite of which jobs start has failed", () =>
    withDatabase(async (db) => {
      const seq = await makeJob(db, "failed");
      const ending = run(db, "pause-queue", { kind: "index" });
      await until(async () => (await listPauses(db)).length === 1, "the queue is paused");
      await db.query(
        "UPDATE jobs SET started_at = now() + interval '2 seconds', fence = fence + 1 WHERE seq = $1",
        [seq],
      );
      expect(await ending).toMatchObject({
        status: "failed",
        outcome: "1 jobs started in spite of the pause",
      });
    }));
});

describe.concurrent("respond-queue-backlog", () => {
  const pause = (db: Database, by: string) =>
    pauseQueue(db, { kind: "index", reason: "drill", by, expiresAt: null });

  /** Jobs are worked off as soon as the queue is not paused, as workers would. */
  async function drain(db: Database): Promise<void> {
    await until(
      async () => (await listPauses(db)).every(({ kind }) => kind !== "index"),
      "resumed",
    );
    await db.query(
      "UPDATE jobs SET status = 'completed', fence = fence + 1 WHERE job_type = 'index'",
    );
  }

  test("resumes a queue that automation paused, after evidence, and sees the depth fall", () =>
    withDatabase(async (db) => {
      await addJobs(db, "index", 40);
      await pause(db, "service:gameday");
      const [ended] = await Promise.all([
        run(db, "respond-queue-backlog", { resume: true, threshold: 10 }),
        drain(db),
      ]);
      expect(ended).toMatchObject({
        status: "succeeded",
        outcome: "0 jobs wait: no backlog above 10",
        plan: { changes: ["resume index"] },
      });
      expect(ended.plan?.text).toContain(
        "index holds 40 of 40 and is paused by service:gameday (drill): automation did it, so it is resumed",
      );
      const [, evidence] = await readSteps(db, ended.seq);
      expect(evidence?.name).toBe("collect evidence");
      expect(evidence?.output).toMatch(
        /^\$ df -P \/\nFilesystem.*\n.*%.*\n\(exit 0 after \d+ ms\)/,
      );
      expect(evidence?.output).toMatch(/disk \d+%/);
    }));

  test.each([
    [
      "without leave to resume",
      "service:gameday",
      false,
      "resuming needs the parameter resume=true",
    ],
    ["that a person paused", "ann", true, "a person did it, so a person must resume it"],
  ])("leaves a queue paused %s, and hands over", (_what, by, resume, words) =>
    withDatabase(async (db) => {
      await addJobs(db, "index", 40);
      await pause(db, by);
      const ended = await run(db, "respond-queue-backlog", { resume, threshold: 10, within: 5 });
      expect(ended).toMatchObject({
        status: "failed",
        outcome: "40 jobs still wait, 40 at the start",
        plan: { changes: [] },
      });
      expect(ended.plan?.text).toContain(words);
      expect(await listPauses(db)).toHaveLength(1);
    }),
  );

  test("lets low-priority work give way to live work, for half an hour", () =>
    withDatabase(async (db) => {
      await addJobs(db, "index", 30);
      await addJobs(db, "backfill", 10);
      const ending = run(db, "respond-queue-backlog", { threshold: 10 });
      await until(async () => (await listPauses(db)).length === 1, "backfill is paused");
      await db.query(
        "UPDATE jobs SET status = 'completed', fence = fence + 1 WHERE job_type = 'index'",
      );
      expect(await ending).toMatchObject({
        status: "succeeded",
        plan: { changes: ["pause backfill for 30m"] },
      });
      const [paused] = await listPauses(db);
      expect(paused).toMatchObject({
        kind: "backfill",
        reason: expect.stringMatching(/^run-\d+: live work first$/),
      });
      expect(paused!.expiresAt!.getTime() - paused!.pausedAt.getTime()).toBeGreaterThan(1_790_000);
    }));

  test("with nothing to do says so, and changes nothing", () =>
    withDatabase(async (db) => {
      await addJobs(db, "index", 5);
      const ended = await run(db, "respond-queue-backlog");
      expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
      expect(ended.plan?.text).toContain("no live worker process: nothing drains");
      expect(ended.outcome).toBe("5 jobs wait: no backlog above 1000");
    }));
});
