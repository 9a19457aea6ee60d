/** The runbooks of jobs, each with the power it declares: planned, done, looked at, taken back, crashed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { JobStatus } from "../../src/job/job.js";
import { AGAIN, type JobScene, openJobScene, succeed } from "../support/job-scene.js";
import { type CrashPoint, crashEverywhere, takeBack } from "../support/runbook.js";

let scene: JobScene;
beforeAll(async () => {
  scene = await openJobScene();
});
afterAll(() => scene.drop());

const inWords = ({ after, step, ended }: CrashPoint) => `${after} of ${step}: ${ended}`;

describe("rerun-job", () => {
  const params = (seq: number) => ({ params: { job: `job-${seq}` } });

  test("is planned with its change, and a dry run leaves the job alone", async () => {
    const seq = await scene.addJob({ error: "boom" });
    await scene.expectDry(
      "rerun-job",
      { job: `job-${seq}` },
      /after: boom\nwould set job-\d+ to pending/,
    );
  });

  test("is taken back while the job has not begun, and leaves one that has", async () => {
    const seq = await scene.addJob();
    const { run: ended } = await scene.whileWorking(succeed, scene.run("rerun-job", params(seq)));
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const { run: late } = await takeBack(scene.ground, ended);
    expect(late).toMatchObject({ status: "succeeded", output: null });
    expect(late.plan?.changes).toEqual(["cancel it unless it has begun"]);
    expect(await scene.jobRow(seq)).toMatchObject({ status: "completed" });

    const other = await scene.addJob();
    const { run: again } = await scene.whileWorking(succeed, scene.run("rerun-job", params(other)));
    await scene.ground.db.query(AGAIN, [other]);
    await takeBack(scene.ground, again);
    expect(await scene.jobRow(other)).toMatchObject({
      status: "cancelled",
      error: expect.stringContaining("taken back by run-"),
    });
  });

  test("retries once, wherever its executor dies", async () => {
    const points = crashEverywhere(scene.ground, "rerun-job", async () => {
      const seq = await scene.addJob();
      return { ...params(seq), effects: () => scene.auditCount("job.retried", `job-${seq}`) };
    });
    expect((await scene.whileWorking(succeed, points)).map(inWords)).toEqual([
      "intent of set the job to pending: succeeded",
      "effect of set the job to pending: succeeded",
      "result of set the job to pending: succeeded",
      "intent of verify: succeeded",
    ]);
  });
});

describe("rerun-failed-jobs", () => {
  const failed = { kind: "score", error: "no route to host" };
  beforeEach(() => scene.clearJobs());

  test("counts by error, and a dry run moves none", async () => {
    await scene.addJobs(3, failed);
    await scene.addJob({ kind: "score", error: "out of memory" });
    await scene.addJob({ kind: "index" });
    await scene.expectDry(
      "rerun-failed-jobs",
      { kind: "score" },
      /^4 jobs of score that failed within 24h:\n3 × no route to host\n1 × out of memory\nwould set 4 of them/,
    );
  });

  test("runs the first fifty, watches them, and then the rest, spread over time", async () => {
    const seqs = await scene.addJobs(60, failed);
    const given = { params: { kind: "score", per_minute: 1000, reason: "the network is back" } };
    const { run: ended, steps } = await scene.whileWorking(
      succeed,
      scene.run("rerun-failed-jobs", given),
    );
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
    expect(await scene.auditCount("job.retried", `job-${seqs[59]}`)).toBe(1);
  });

  test("leaves the rest alone when most of the first fail again", async () => {
    await scene.addJobs(60, failed);
    const given = { params: { kind: "score", per_minute: 1000 } };
    const { run: ended } = await scene.whileWorking(
      () => "failed",
      scene.run("rerun-failed-jobs", given),
    );
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/most fail again, so the rest was left/),
    });
    const { rows } = await scene.ground.db.query(
      "SELECT count(*)::int AS count FROM audit_log WHERE action = 'job.retried' AND details->>'reason' = $1",
      ["the cause of the failures is gone"],
    );
    expect(rows).toEqual([{ count: 50 }]);
  });

  test("stops when more failed since the plan was made", async () => {
    const [seq] = await scene.addJobs(1, { ...failed, status: "running" });
    await scene.addJobs(2, failed);
    // Asked before each step: by then there is a plan, and another one fails.
    const read = async () => {
      await scene.ground.db.query(
        `UPDATE public.jobs SET status = 'failed', completed_at = now(), fence = fence + 1
         WHERE seq = $1 AND EXISTS (SELECT FROM control.run WHERE status = 'running' AND plan IS NOT NULL)`,
        [seq],
      );
      return null;
    };
    const stop = { read };
    const { run: ended } = await scene.run("rerun-failed-jobs", {
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
    await scene.addJobs(3, failed);
    const { run: ended, changed } = await scene.run("rerun-failed-jobs", { params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(changed).toEqual([]);
  });

  test("taken back, it cancels those that have not begun, and no other", async () => {
    const seqs = await scene.addJobs(3, failed);
    const given = { params: { kind: "score" } };
    const { run: ended } = await scene.whileWorking(succeed, scene.run("rerun-failed-jobs", given));
    await scene.ground.db.query(AGAIN, [seqs[1]]);
    await takeBack(scene.ground, ended);
    const rows = await Promise.all(seqs.map(scene.jobRow));
    expect(rows.map((row) => row?.status)).toEqual(["completed", "cancelled", "completed"]);
  });

  test("moves no job twice, wherever its executor dies, or says that it cannot tell", async () => {
    const points = crashEverywhere(scene.ground, "rerun-failed-jobs", async () => {
      await scene.clearJobs();
      const seqs = await scene.addJobs(2, failed);
      return {
        params: { kind: "score" },
        steps: ["run the first ones again", "run the rest again"],
        effects: () => scene.auditCount("job.retried", `job-${seqs[1]}`),
      };
    });
    const told = (await scene.whileWorking(succeed, points)).map(inWords);
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
    const seq = await scene.addJob({ status, kind: "export" });
    const params = { job: `job-${seq}`, reason: "the disk is full" };
    const { run: ended, changed } = await scene.run("cancel-job", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.plan?.changes).toEqual([`set job-${seq} to cancelled`, ...more]);
    expect(await scene.jobRow(seq)).toMatchObject({
      status: "cancelled",
      error: "cancelled by ann: the disk is full",
    });
    expect(changed).toEqual(["public.jobs"]);
  });

  test("says that there is nothing to stop, or no such job", async () => {
    const seq = await scene.addJob({ status: "completed" });
    for (const [job, words] of [
      [`job-${seq}`, /is completed: there is nothing to stop/],
      ["job-999999", /there is no job-999999/],
    ] as const) {
      const { run: ended, changed } = await scene.run("cancel-job", {
        params: { job, reason: "why" },
      });
      expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
      expect(changed).toEqual([]);
    }
  });

  test("only tells what it would do when it is dry, and what cannot be taken back", async () => {
    const seq = await scene.addJob({ status: "pending", kind: "export" });
    const params = { job: `job-${seq}`, reason: "why not" };
    await scene.expectDry("cancel-job", params, /would set job-\d+ to cancelled/);
    const { run: ended } = await scene.run("cancel-job", { params });
    const { run: undo } = await takeBack(scene.ground, ended);
    expect(undo).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("run it again with rerun-job"),
    });
  });

  test("cancels once, wherever its executor dies", async () => {
    const points = await crashEverywhere(scene.ground, "cancel-job", async () => {
      const seq = await scene.addJob({ status: "pending", kind: "export" });
      return {
        params: { job: `job-${seq}`, reason: "stop it" },
        effects: () => scene.auditCount("job.cancelled", `job-${seq}`),
      };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });
});
