/** The runbooks that came first, with the power that they declare and through the real shell. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import type { JsonObject } from "../../src/base/json.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { Database } from "../../src/store/database.js";
import { logHealing } from "../../src/store/healing.js";
import { writeAttempts } from "../../src/store/job-attempts.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import { readSteps } from "../../src/store/run-steps.js";
import { holdNewJob } from "../support/held-job.js";
import { openGround, type RunbookGround, rehearse } from "../support/runbook.js";
import { until } from "../support/until.js";

let ground: RunbookGround;
let db: Database;
beforeAll(async () => {
  ground = await openGround(await loadRunbooks());
  db = ground.db;
});
afterAll(() => ground.drop());
beforeEach(async () => {
  await db.query("DELETE FROM jobs; DELETE FROM healdec_log; DELETE FROM control.queue_pause");
});
const shell = createShell({ redact: (text) => text });

/** Runs it to its end and answers with the run's row. */
async function run(name: string, params: JsonObject = {}, dryRun = false) {
  return (await rehearse(ground, name, { params, dryRun, shell })).run;
}

async function makeJob(status: string, error: string | null = null): Promise<number> {
  const { seq } = await enqueueJob(db, { kind: "index", payload: {} });
  await move(seq, status, error);
  return seq;
}

/** As a worker would: with a fence that grows. */
async function move(seq: number, status: string, error: string | null = null) {
  await db.query(
    "UPDATE jobs SET status = $2, error = $3, attempts = 1, fence = fence + 1 WHERE seq = $1",
    [seq, status, error],
  );
}

const addJobs = (kind: string, count: number) =>
  enqueueJobs(
    db,
    Array.from({ length: count }, () => ({ kind, payload: {} })),
  );

describe("rerun-job", () => {
  test("sets a failed job to pending and follows it until it is completed", async () => {
    const seq = await makeJob("failed", "the network was away");
    const ending = run("rerun-job", { job: `job-${seq}`, reason: "it is back" });
    await until(async () => (await readJob(db, seq))?.status === "pending", "the job is pending");
    await move(seq, "completed");
    expect(await ending).toMatchObject({
      status: "succeeded",
      outcome: `job-${seq} completed on attempt 1`,
      plan: { text: `job-${seq} (index) is failed with 1 attempts, after: the network was away` },
    });
    const { rows } = await db.query(
      "SELECT actor, details->>'reason' AS reason FROM audit_log WHERE action = 'job.retried' AND target = $1",
      [`job-${seq}`],
    );
    expect(rows).toEqual([{ actor: "ann", reason: "it is back" }]);
  });

  test("has failed when the job fails again, and tells the new error", async () => {
    const seq = await makeJob("quarantined", "bad data");
    const ending = run("rerun-job", { job: String(seq) });
    await until(async () => (await readJob(db, seq))?.status === "pending", "the job is pending");
    await move(seq, "quarantined", "still bad data");
    expect(await ending).toMatchObject({
      status: "failed",
      outcome: `job-${seq} is quarantined again: still bad data`,
    });
  });

  test.each([
    ["pending", /only a failed, quarantined or cancelled job/],
    ["completed", /only a failed, quarantined or cancelled job/],
    ["running", /force=true takes it from its worker/],
  ])("leaves a %s job alone", async (status, words) => {
    const seq = await makeJob(status);
    const before = await readJob(db, seq);
    expect(await run("rerun-job", { job: `job-${seq}` })).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(words),
    });
    expect(await readJob(db, seq)).toEqual(before);
  });

  test("says that there is no such job", async () => {
    expect(await run("rerun-job", { job: "job-999" })).toMatchObject({
      status: "failed",
      outcome: "there is no job-999",
    });
  });

  test("only tells what it would do when it is dry", async () => {
    const seq = await makeJob("failed");
    const { output } = await run("rerun-job", { job: `job-${seq}` }, true);
    expect(output?.text).toContain(`would set job-${seq} to pending`);
    expect((await readJob(db, seq))?.status).toBe("failed");
  });
});

describe("the reading ones", () => {
  test("inspect-job shows a job with what healing and people did to it", async () => {
    const seq = await makeJob("failed", "no route to host");
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
    const { status, output } = await run("inspect-job", { job: `job-${seq}` });
    expect(status).toBe("succeeded");
    expect(output?.text).toMatch(/\(index\) is pending, 1 attempts, .*no route to host$/);
    expect(output?.table?.rows.map(([, , what]) => what)).toEqual([
      "job.changed-by-sql",
      "transient failure, retry did not help",
    ]);
  });

  test("inspect-job shows how far the newest attempt came, what it logged, and where it failed", async () => {
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
    const { output } = await run("inspect-job", { job: job.id });
    expect(output?.text.split("\n").slice(1)).toEqual([
      "attempt 1 came to 29 %: 430 of 1482",
      ...trace.slice(0, 8).map((line) => `| ${line.trimStart()}`),
    ]);
    expect(output?.table?.rows).toEqual([
      [at.toISOString(), "attempt 1", "warn: repo.unreadable repo=alpha"],
    ]);
  });

  test("queue-depth counts by kind and leaves our own kinds out", async () => {
    await addJobs("index", 3);
    await makeJob("failed");
    await pauseQueue(db, { kind: "index", reason: "storm", by: "ann", expiresAt: null });
    const { output } = await run("queue-depth");
    expect(output?.text).toBe(
      "3 jobs wait, 0 run on 0 live worker processes\nindex is paused by ann: storm",
    );
    expect(output?.table?.rows[0]).toMatchObject(
      ["index", "3", /\ds$/, "0", "1", "0", "yes"].map((it) =>
        typeof it === "string" ? it : expect.stringMatching(it),
      ),
    );
    expect(output?.table?.rows.map(([kind]) => kind)).not.toContain("runbook");
  });

  test("healdec-report reads the last hour, and says when nothing happened", async () => {
    expect(await run("healdec-report")).toMatchObject({
      outcome: "nothing needed healing in the last 1h",
    });
    const seq = await makeJob("failed");
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
    const { output } = await run("healdec-report", { window: "10m", limit: "5" });
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
  });
});

describe("pause-queue and resume-queue", () => {
  test("pause with an expiry, watch that nothing starts, and resume", async () => {
    expect(await run("pause-queue", { kind: "score", for: "10m", reason: "storm" })).toMatchObject({
      status: "succeeded",
      outcome: "score is paused for 10m: no job of it starts",
    });
    const [pause] = await listPauses(db);
    expect(pause).toMatchObject({ kind: "score", pausedBy: "ann", reason: "storm" });
    expect(pause!.expiresAt!.getTime() - pause!.pausedAt.getTime()).toBeGreaterThan(590_000);
    await pauseQueue(db, { kind: "*", reason: "a deployment", by: "eve", expiresAt: null });
    expect(await run("resume-queue", { kind: "index" })).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("index stands still: all was paused by eve: a deployment"),
    });
    expect(await run("resume-queue", { kind: "all" })).toMatchObject({
      status: "succeeded",
      output: { text: "resumed all, score" },
    });
    expect(await listPauses(db)).toEqual([]);
  });

  test("a pause in spite of which jobs start has failed", async () => {
    const seq = await makeJob("failed");
    const ending = run("pause-queue", { kind: "index" });
    await until(async () => (await listPauses(db)).length === 1, "the queue is paused");
    await db.query(
      "UPDATE jobs SET started_at = now() + interval '1 hour', fence = fence + 1 WHERE seq = $1",
      [seq],
    );
    expect(await ending).toMatchObject({
      status: "failed",
      outcome: "1 jobs started in spite of the pause",
    });
  });
});

describe("respond-queue-backlog", () => {
  const pause = (by: string) =>
    pauseQueue(db, { kind: "index", reason: "drill", by, expiresAt: null });

  /** Jobs are worked off as soon as the queue is not paused, as workers would. */
  async function drain(): Promise<void> {
    await until(
      async () => (await listPauses(db)).every(({ kind }) => kind !== "index"),
      "resumed",
    );
    await db.query(
      "UPDATE jobs SET status = 'completed', fence = fence + 1 WHERE job_type = 'index'",
    );
  }

  test("resumes a queue that automation paused, after evidence, and sees the depth fall", async () => {
    await addJobs("index", 40);
    await pause("service:gameday");
    const [ended] = await Promise.all([
      run("respond-queue-backlog", { resume: true, threshold: 10 }),
      drain(),
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
    expect(evidence?.output).toMatch(/^\$ df -P \/\nFilesystem.*\n.*%.*\n\(exit 0 after \d+ ms\)/);
    expect(evidence?.output).toMatch(/disk \d+%/);
  });

  test.each([
    [
      "without leave to resume",
      "service:gameday",
      false,
      "resuming needs the parameter resume=true",
    ],
    ["that a person paused", "ann", true, "a person did it, so a person must resume it"],
  ])("leaves a queue paused %s, and hands over", async (_what, by, resume, words) => {
    await addJobs("index", 40);
    await pause(by);
    const ended = await run("respond-queue-backlog", { resume, threshold: 10, within: 5 });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: "40 jobs still wait, 40 at the start",
      plan: { changes: [] },
    });
    expect(ended.plan?.text).toContain(words);
    expect(await listPauses(db)).toHaveLength(1);
  });

  test("lets low-priority work give way to live work, for half an hour", async () => {
    await addJobs("index", 30);
    await addJobs("backfill", 10);
    const ending = run("respond-queue-backlog", { threshold: 10 });
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
  });

  test("with nothing to do says so, and changes nothing", async () => {
    await addJobs("index", 5);
    const ended = await run("respond-queue-backlog");
    expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
    expect(ended.plan?.text).toContain("no live worker process: nothing drains");
    expect(ended.outcome).toBe("5 jobs wait: no backlog above 1000");
  });
});
