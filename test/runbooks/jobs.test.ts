/** The runbooks of jobs and queues, each with the power it declares: planned, done, looked at, taken back, crashed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import type { JobStatus } from "../../src/job/job.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { verifyAudit } from "../../src/store/audit.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import {
  type CrashPoint,
  crashEverywhere,
  type Given,
  openGround,
  type Rehearsed,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";

let ground: RunbookGround;
beforeAll(async () => {
  ground = await openGround(await loadRunbooks());
});
afterAll(async () => {
  expect(await verifyAudit(ground.db)).toMatchObject({ ok: true });
  await ground.drop();
});

interface TestJob {
  readonly kind?: string;
  readonly status?: JobStatus;
  readonly error?: string | null;
  readonly payload?: JsonObject;
  readonly priority?: number;
}

async function addJob(job: TestJob = {}): Promise<number> {
  const { kind = "index", status = "failed", error = null, payload = {}, priority = 0 } = job;
  const { rows } = await ground.db.query<{ seq: number }>(
    `INSERT INTO public.jobs (job_type, status, error, payload, priority, attempts, completed_at)
     VALUES ($1, $2, $3, $4, $5, CASE $2 WHEN 'pending' THEN 0 ELSE 1 END,
       CASE WHEN $2 IN ('pending', 'running') THEN NULL ELSE now() END) RETURNING seq`,
    [kind, status, error, payload, priority],
  );
  return rows[0]!.seq;
}

/** As `addJob` makes a job that has not begun. */
const AGAIN =
  "UPDATE public.jobs SET status = 'pending', attempts = 0, fence = fence + 1 WHERE seq = $1";

const addJobs = (count: number, job: TestJob): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, () => addJob(job)));

/** Of our own kinds only those of this test: a case leaves nothing to the next. */
async function clearJobs(): Promise<void> {
  await ground.db.query("DELETE FROM public.jobs WHERE job_type <> 'runbook'");
}

async function jobRow(seq: number) {
  const { rows } = await ground.db.query<{
    status: JobStatus;
    error: string | null;
    payload: JsonObject;
    priority: number;
  }>("SELECT status, error, payload, priority FROM public.jobs WHERE seq = $1", [seq]);
  return rows[0] ?? null;
}

/** Works pending jobs off, as workers would, while `work` goes on; `fate` says what becomes of one. */
async function whileWorking<T>(fate: (seq: number) => JobStatus, work: Promise<T>): Promise<T> {
  let isOver = false;
  const working = (async () => {
    while (!isOver) {
      const { rows } = await ground.db.query<{ seq: number }>(
        "SELECT seq FROM public.jobs WHERE status = 'pending' AND job_type <> 'runbook'",
      );
      for (const { seq } of rows)
        await ground.db.query(
          `UPDATE public.jobs SET status = $2, error = CASE $2 WHEN 'completed' THEN NULL ELSE 'broken again' END,
             attempts = 1, completed_at = now(), fence = fence + 1 WHERE seq = $1 AND status = 'pending'`,
          [seq, fate(seq)],
        );
      await systemClock.sleep(10);
    }
  })();
  try {
    return await work;
  } finally {
    isOver = true;
    await working;
  }
}

const succeed = () => "completed" as const;

const run = (runbook: string, given: Given = {}): Promise<Rehearsed> =>
  rehearse(ground, runbook, given);

async function auditCount(action: string, target: string): Promise<number> {
  const { rows } = await ground.db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM audit_log WHERE action = $1 AND target = $2",
    [action, target],
  );
  return rows[0]!.count;
}

/** What it would do is told, and nothing of it is done. */
async function expectDry(runbook: string, params: JsonObject, words: RegExp): Promise<void> {
  const { run: ended, changed } = await run(runbook, { params, dryRun: true });
  expect(ended).toMatchObject({ status: "succeeded", verified: null });
  expect(ended.output?.text).toMatch(words);
  expect(changed).toEqual([]);
}

describe("rerun-job", () => {
  const params = (seq: number) => ({ params: { job: `job-${seq}` } });

  test("is planned with its change, and a dry run leaves the job alone", async () => {
    const seq = await addJob({ error: "boom" });
    await expectDry(
      "rerun-job",
      { job: `job-${seq}` },
      /after: boom\nwould set job-\d+ to pending/,
    );
  });

  test("is taken back while the job has not begun, and leaves one that has", async () => {
    const seq = await addJob();
    const { run: ended } = await whileWorking(succeed, run("rerun-job", params(seq)));
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const { run: late } = await takeBack(ground, ended);
    expect(late).toMatchObject({ status: "succeeded", output: null });
    expect(late.plan?.changes).toEqual(["cancel it unless it has begun"]);
    expect(await jobRow(seq)).toMatchObject({ status: "completed" });

    const other = await addJob();
    const { run: again } = await whileWorking(succeed, run("rerun-job", params(other)));
    await ground.db.query(AGAIN, [other]);
    await takeBack(ground, again);
    expect(await jobRow(other)).toMatchObject({
      status: "cancelled",
      error: expect.stringContaining("taken back by run-"),
    });
  });

  test("retries once, wherever its executor dies", async () => {
    const points = crashEverywhere(ground, "rerun-job", async () => {
      const seq = await addJob();
      return { ...params(seq), effects: () => auditCount("job.retried", `job-${seq}`) };
    });
    expect((await whileWorking(succeed, points)).map(inWords)).toEqual([
      "intent of set the job to pending: succeeded",
      "effect of set the job to pending: succeeded",
      "result of set the job to pending: succeeded",
      "intent of verify: succeeded",
    ]);
  });
});

const inWords = ({ after, step, ended }: CrashPoint) => `${after} of ${step}: ${ended}`;

describe("rerun-failed-jobs", () => {
  const failed = { kind: "score", error: "no route to host" };
  beforeEach(clearJobs);

  test("counts by error, and a dry run moves none", async () => {
    await addJobs(3, failed);
    await addJob({ kind: "score", error: "out of memory" });
    await addJob({ kind: "index" });
    await expectDry(
      "rerun-failed-jobs",
      { kind: "score" },
      /^4 jobs of score that failed within 24h:\n3 × no route to host\n1 × out of memory\nwould set 4 of them/,
    );
  });

  test("runs the first fifty, watches them, and then the rest, spread over time", async () => {
    const seqs = await addJobs(60, failed);
    const given = { params: { kind: "score", per_minute: 1000, reason: "the network is back" } };
    const { run: ended, steps } = await whileWorking(succeed, run("rerun-failed-jobs", given));
    expect(ended).toMatchObject({
      status: "succeeded",
      outcome: "of 60: 60 completed, 0 failed again, 0 still wait or run",
    });
    expect(steps.map(({ name, result }) => [name, (result as { text: string }).text])).toEqual([
      ["plan", expect.anything()],
      ["run the first ones again", "50 jobs are pending, 1000 a minute"],
      ["watch how they do", "of 50: 50 completed, 0 failed again, 0 still wait or run"],
      ["run the rest again", "10 jobs are pending, 1000 a minute"],
      ["verify", expect.anything()],
    ]);
    expect(await auditCount("job.retried", `job-${seqs[59]}`)).toBe(1);
  });

  test("leaves the rest alone when most of the first fail again", async () => {
    await addJobs(60, failed);
    const given = { params: { kind: "score", per_minute: 1000 } };
    const { run: ended } = await whileWorking(() => "failed", run("rerun-failed-jobs", given));
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/most fail again, so the rest was left/),
    });
    const { rows } = await ground.db.query(
      "SELECT count(*)::int AS count FROM audit_log WHERE action = 'job.retried' AND details->>'reason' = $1",
      ["the cause of the failures is gone"],
    );
    expect(rows).toEqual([{ count: 50 }]);
  });

  test("stops when more failed since the plan was made", async () => {
    const [seq] = await addJobs(1, { ...failed, status: "running" });
    await addJobs(2, failed);
    // Asked before each step: by then there is a plan, and another one fails.
    const read = async () => {
      await ground.db.query(
        `UPDATE public.jobs SET status = 'failed', completed_at = now(), fence = fence + 1
         WHERE seq = $1 AND EXISTS (SELECT FROM control.run WHERE status = 'running' AND plan IS NOT NULL)`,
        [seq],
      );
      return null;
    };
    const stop = { read };
    const { run: ended } = await run("rerun-failed-jobs", {
      params: { kind: "score" },
      other: { stop },
    });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/more jobs failed since the plan was made/),
    });
  });

  test.each<[string, JsonObject, RegExp]>([
    ["none that failed", { kind: "export" }, /there is no job of export that failed within 24h/],
    ["more than the limit", { kind: "score", limit: 2 }, /3 jobs .* match, and the limit is 2/],
  ])("refuses %s, and says how to call it", async (_what, params, words) => {
    await addJobs(3, failed);
    const { run: ended, changed } = await run("rerun-failed-jobs", { params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(changed).toEqual([]);
  });

  test("taken back, it cancels those that have not begun, and no other", async () => {
    const seqs = await addJobs(3, failed);
    const given = { params: { kind: "score" } };
    const { run: ended } = await whileWorking(succeed, run("rerun-failed-jobs", given));
    await ground.db.query(AGAIN, [seqs[1]]);
    await takeBack(ground, ended);
    const rows = await Promise.all(seqs.map(jobRow));
    expect(rows.map((row) => row?.status)).toEqual(["completed", "cancelled", "completed"]);
  });

  test("moves no job twice, wherever its executor dies, or says that it cannot tell", async () => {
    const points = crashEverywhere(ground, "rerun-failed-jobs", async () => {
      await clearJobs();
      const seqs = await addJobs(2, failed);
      return {
        params: { kind: "score" },
        steps: ["run the first ones again", "run the rest again"],
        effects: () => auditCount("job.retried", `job-${seqs[1]}`),
      };
    });
    const told = (await whileWorking(succeed, points)).map(inWords);
    expect(told).toContain("effect of run the first ones again: stalled");
    expect(told).toContain("intent of run the first ones again: succeeded");
    expect(told).toContain("intent of run the rest again: stalled");
    expect(told).toHaveLength(6);
  });
});

describe("cancel-job", () => {
  test.each<[JobStatus, string[]]>([
    ["pending", []],
    ["running", ["ask its worker to stop it"]],
  ])("cancels a %s job for a reason, which stands in its error", async (status, more) => {
    const seq = await addJob({ status, kind: "export" });
    const params = { job: `job-${seq}`, reason: "the disk is full" };
    const { run: ended, changed } = await run("cancel-job", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.plan?.changes).toEqual([`set job-${seq} to cancelled`, ...more]);
    expect(await jobRow(seq)).toMatchObject({
      status: "cancelled",
      error: "cancelled by ann: the disk is full",
    });
    expect(changed).toEqual(["public.jobs"]);
  });

  test("says that there is nothing to stop, or no such job", async () => {
    const seq = await addJob({ status: "completed" });
    for (const [job, words] of [
      [`job-${seq}`, /is completed: there is nothing to stop/],
      ["job-999999", /there is no job-999999/],
    ] as const) {
      const { run: ended, changed } = await run("cancel-job", { params: { job, reason: "why" } });
      expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
      expect(changed).toEqual([]);
    }
  });

  test("only tells what it would do when it is dry, and what cannot be taken back", async () => {
    const seq = await addJob({ status: "pending", kind: "export" });
    const params = { job: `job-${seq}`, reason: "why not" };
    await expectDry("cancel-job", params, /would set job-\d+ to cancelled/);
    const { run: ended } = await run("cancel-job", { params });
    const { run: undo } = await takeBack(ground, ended);
    expect(undo).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("run it again with rerun-job"),
    });
  });

  test("cancels once, wherever its executor dies", async () => {
    const points = await crashEverywhere(ground, "cancel-job", async () => {
      const seq = await addJob({ status: "pending", kind: "export" });
      return {
        params: { job: `job-${seq}`, reason: "stop it" },
        effects: () => auditCount("job.cancelled", `job-${seq}`),
      };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });
});

describe("list-quarantine", () => {
  test("lists those of a kind with their errors, and how to release one", async () => {
    await clearJobs();
    await addJob({ status: "quarantined", kind: "score", error: "no repo" });
    const seq = await addJob({ status: "quarantined", kind: "index", error: "x".repeat(500) });
    const { run: ended, changed } = await run("list-quarantine", { params: { kind: "index" } });
    expect(ended.output?.text).toContain(
      `1 jobs, newest first. To release one: /algobrain release job-${seq}`,
    );
    expect(ended.output?.table?.rows).toEqual([
      [`job-${seq}`, "index", expect.any(String), "1", "x".repeat(120)],
    ]);
    expect(changed).toEqual([]);
    const { run: none } = await run("list-quarantine", { params: { kind: "export" } });
    expect(none.output?.text).toBe("no job is in quarantine");
  });
});

describe("release-quarantined-job", () => {
  const wrong = { status: "quarantined", kind: "identity", payload: { repo_id: 3 } } as const;
  const patch = '{"repo_id": "three"}';

  test("shows each change, corrects the payload, and runs the job", async () => {
    const seq = await addJob(wrong);
    const given = { params: { job: `job-${seq}`, patch, reason: "a typing error" } };
    await expectDry(
      "release-quarantined-job",
      given.params,
      /would change \/repo_id from 3 to "three"/,
    );
    const { run: ended } = await whileWorking(succeed, run("release-quarantined-job", given));
    expect(ended).toMatchObject({ status: "succeeded", outcome: `job-${seq} completed` });
    expect(await jobRow(seq)).toMatchObject({ payload: { repo_id: "three" }, status: "completed" });
  });

  test.each<[string, string, RegExp]>([
    ["that does not fit the kind", '{"repo_id": 0}', /does not fit: \/repo_id/],
    ["that is no JSON", "{repo", /patch: found \{repo, expected JSON/],
    ["that is no object", "3", /at least 2|expected \{…\}/],
  ])("refuses a patch %s", async (_what, given, words) => {
    const seq = await addJob(wrong);
    const params = { job: `job-${seq}`, patch: given.padEnd(2) };
    const { run: ended, changed } = await run("release-quarantined-job", { params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(changed).toEqual([]);
  });

  test("taken back after it failed again, it has its old payload only if that fits its kind", async () => {
    const fits = { ...wrong, payload: { repo_id: "two" } };
    for (const [job, kept] of [
      [wrong, "three"],
      [fits, "two"],
    ] as const) {
      const seq = await addJob(job);
      const given = { params: { job: `job-${seq}`, patch } };
      const { run: ended } = await whileWorking(
        () => "failed",
        run("release-quarantined-job", given),
      );
      expect(ended).toMatchObject({
        status: "failed",
        outcome: `job-${seq} is failed again: broken again`,
      });
      const { run: undo } = await takeBack(ground, ended);
      expect(undo).toMatchObject({ status: "succeeded" });
      expect(await jobRow(seq)).toMatchObject({ payload: { repo_id: kept }, status: "failed" });
    }
  });

  test("corrects once and runs once, wherever its executor dies", async () => {
    const points = crashEverywhere(ground, "release-quarantined-job", async () => {
      const seq = await addJob(wrong);
      const count = async () => {
        const corrected = await auditCount("job.payload-corrected", `job-${seq}`);
        const retried = await auditCount("job.retried", `job-${seq}`);
        return Math.max(corrected, retried);
      };
      return { params: { job: `job-${seq}`, patch }, effects: count };
    });
    const ends = (await whileWorking(succeed, points)).map(({ ended }) => ended);
    expect(ends).toEqual(Array(7).fill("succeeded"));
  });
});

describe("prioritize-jobs", () => {
  const priorities = async (seqs: readonly number[]) =>
    (await Promise.all(seqs.map(jobRow))).map((row) => row?.priority);
  beforeEach(clearJobs);

  test("moves those that wait with that priority, and gives it back", async () => {
    const seqs = [
      await addJob({ status: "pending", kind: "sync", priority: 5 }),
      await addJob({ status: "pending", kind: "sync", priority: 2 }),
      await addJob({ status: "running", kind: "sync", priority: 5 }),
    ];
    const params = { kind: "sync", to: 9, from: 5 };
    await expectDry(
      "prioritize-jobs",
      params,
      /1 with 5, 1 with 2\nwould give 1 waiting jobs the priority 9/,
    );
    const { run: ended, changed } = await run("prioritize-jobs", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await priorities(seqs)).toEqual([9, 2, 5]);
    expect(changed).toEqual(["public.jobs"]);
    await takeBack(ground, ended);
    expect(await priorities(seqs)).toEqual([5, 2, 5]);
  });

  test("gives back only what it moved and what still waits", async () => {
    const seqs = await addJobs(2, { status: "pending", kind: "sync", priority: 3 });
    const { run: ended } = await run("prioritize-jobs", { params: { kind: "sync", to: 8 } });
    const late = await addJob({ status: "pending", kind: "sync", priority: 8 });
    await ground.db.query(
      "UPDATE public.jobs SET status = 'completed', fence = fence + 1 WHERE seq = $1",
      [seqs[0]],
    );
    await takeBack(ground, ended);
    expect(await priorities([...seqs, late])).toEqual([8, 3, 8]);
  });

  test("says that it cannot tell when its executor dies in the middle", async () => {
    const points = await crashEverywhere(ground, "prioritize-jobs", async () => {
      await clearJobs();
      const seq = await addJob({ status: "pending", kind: "sync", priority: 3 });
      return {
        params: { kind: "sync", to: 8 },
        effects: async () => ((await jobRow(seq))?.priority === 8 ? 1 : 0),
      };
    });
    expect(points.map(inWords).slice(0, 3)).toEqual([
      "intent of set the priority: stalled",
      "effect of set the priority: stalled",
      "result of set the priority: succeeded",
    ]);
  });
});

describe("pause-queue and resume-queue", () => {
  const kinds = async () => (await listPauses(ground.db)).map(({ kind }) => kind);
  const params = { kind: "ingest", for: "10m" };

  test("a pause is taken back, but not one that was there before", async () => {
    const { run: ended } = await run("pause-queue", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await kinds()).toEqual(["ingest"]);
    await takeBack(ground, ended);
    expect(await kinds()).toEqual([]);

    await pauseQueue(ground.db, { kind: "ingest", reason: "storm", by: "eve", expiresAt: null });
    const { run: second } = await run("pause-queue", { params });
    await takeBack(ground, second);
    expect(await kinds()).toEqual(["ingest"]);
  });

  test("a resume is taken back with the reason and the rest of the time", async () => {
    await pauseQueue(ground.db, { kind: "ingest", reason: "storm", by: "eve", expiresAt: null });
    const { run: ended } = await run("resume-queue", { params: { kind: "ingest" } });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await kinds()).toEqual([]);
    await takeBack(ground, ended);
    expect(await listPauses(ground.db)).toMatchObject([{ kind: "ingest", reason: "storm" }]);
    await run("resume-queue", { params: { kind: "ingest" } });
  });

  test("come to the same wherever their executor dies", async () => {
    const isPaused = async () => ((await kinds()).includes("ingest") ? 1 : 0);
    const pausing = await crashEverywhere(ground, "pause-queue", async () => {
      await ground.db.query("DELETE FROM control.queue_pause");
      return { params, effects: isPaused };
    });
    expect(pausing.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
    const resuming = await crashEverywhere(ground, "resume-queue", async () => {
      await pauseQueue(ground.db, { kind: "ingest", reason: "storm", by: "eve", expiresAt: null });
      return { params: { kind: "ingest" }, effects: async () => 1 - (await isPaused()) };
    });
    expect(resuming.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });

  test("taking back comes to the same wherever its executor dies", async () => {
    await ground.db.query("DELETE FROM control.queue_pause");
    const points = await crashEverywhere(ground, "pause-queue", async () => {
      const { run: original } = await run("pause-queue", { params });
      return { original, effects: async () => ((await kinds()).length === 0 ? 1 : 0) };
    });
    expect(points.map(inWords)).toEqual([
      "intent of resume, unless it was paused before: succeeded",
      "effect of resume, unless it was paused before: succeeded",
      "result of resume, unless it was paused before: succeeded",
    ]);
  });
});
