/** The runbooks of queues and of what was put aside, each with the power it declares, crashed at every step. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import { type JobScene, openJobScene, succeed } from "../support/job-scene.js";
import { type CrashPoint, crashEverywhere, takeBack } from "../support/runbook.js";

let scene: JobScene;
beforeAll(async () => {
  scene = await openJobScene();
});
afterAll(() => scene.drop());

const inWords = ({ after, step, ended }: CrashPoint) => `${after} of ${step}: ${ended}`;

describe("list-quarantine", () => {
  test("lists those of a kind with their errors, and how to release one", async () => {
    await scene.clearJobs();
    await scene.addJob({ status: "quarantined", kind: "score", error: "no repo" });
    const seq = await scene.addJob({
      status: "quarantined",
      kind: "index",
      error: "x".repeat(500),
    });
    const { run: ended, changed } = await scene.run("list-quarantine", {
      params: { kind: "index" },
    });
    expect(ended.output?.text).toContain(
      `1 jobs, newest first. To release one: /algobrain release job-${seq}`,
    );
    expect(ended.output?.table?.rows).toEqual([
      [`job-${seq}`, "index", expect.any(String), "1", "x".repeat(120)],
    ]);
    expect(changed).toEqual([]);
    const { run: none } = await scene.run("list-quarantine", { params: { kind: "export" } });
    expect(none.output?.text).toBe("no job is in quarantine");
  });
});

describe("release-quarantined-job", () => {
  const wrong = { status: "quarantined", kind: "identity", payload: { repo_id: 3 } } as const;
  const patch = '{"repo_id": "three"}';

  test("shows each change, corrects the payload, and runs the job", async () => {
    const seq = await scene.addJob(wrong);
    const given = { params: { job: `job-${seq}`, patch, reason: "a typing error" } };
    await scene.expectDry(
      "release-quarantined-job",
      given.params,
      /would change \/repo_id from 3 to "three"/,
    );
    const { run: ended } = await scene.whileWorking(
      succeed,
      scene.run("release-quarantined-job", given),
    );
    expect(ended).toMatchObject({ status: "succeeded", outcome: `job-${seq} completed` });
    expect(await scene.jobRow(seq)).toMatchObject({
      payload: { repo_id: "three" },
      status: "completed",
    });
  });

  test.each<[string, string, RegExp]>([
    ["that does not fit the kind", '{"repo_id": 0}', /does not fit: \/repo_id/],
    ["that is no JSON", "{repo", /patch: found \{repo, expected JSON/],
    ["that is no object", "3", /at least 2|expected \{…\}/],
  ])("refuses a patch %s", async (_what, given, words) => {
    const seq = await scene.addJob(wrong);
    const params = { job: `job-${seq}`, patch: given.padEnd(2) };
    const { run: ended, changed } = await scene.run("release-quarantined-job", { params });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(changed).toEqual([]);
  });

  test("taken back after it failed again, it has its old payload only if that fits its kind", async () => {
    const fits = { ...wrong, payload: { repo_id: "two" } };
    for (const [job, kept] of [
      [wrong, "three"],
      [fits, "two"],
    ] as const) {
      const seq = await scene.addJob(job);
      const given = { params: { job: `job-${seq}`, patch } };
      const { run: ended } = await scene.whileWorking(
        () => "failed",
        scene.run("release-quarantined-job", given),
      );
      expect(ended).toMatchObject({
        status: "failed",
        outcome: `job-${seq} is failed again: broken again`,
      });
      const { run: undo } = await takeBack(scene.ground, ended);
      expect(undo).toMatchObject({ status: "succeeded" });
      expect(await scene.jobRow(seq)).toMatchObject({
        payload: { repo_id: kept },
        status: "failed",
      });
    }
  });

  test("corrects once and runs once, wherever its executor dies", async () => {
    const points = crashEverywhere(scene.ground, "release-quarantined-job", async () => {
      const seq = await scene.addJob(wrong);
      const count = async () => {
        const corrected = await scene.auditCount("job.payload-corrected", `job-${seq}`);
        const retried = await scene.auditCount("job.retried", `job-${seq}`);
        return Math.max(corrected, retried);
      };
      return { params: { job: `job-${seq}`, patch }, effects: count };
    });
    const ends = (await scene.whileWorking(succeed, points)).map(({ ended }) => ended);
    expect(ends).toEqual(Array(7).fill("succeeded"));
  });
});

describe("prioritize-jobs", () => {
  const priorities = async (seqs: readonly number[]) =>
    (await Promise.all(seqs.map(scene.jobRow))).map((row) => row?.priority);
  beforeEach(() => scene.clearJobs());

  test("moves those that wait with that priority, and gives it back", async () => {
    const seqs = [
      await scene.addJob({ status: "pending", kind: "sync", priority: 5 }),
      await scene.addJob({ status: "pending", kind: "sync", priority: 2 }),
      await scene.addJob({ status: "running", kind: "sync", priority: 5 }),
    ];
    const params = { kind: "sync", to: 9, from: 5 };
    await scene.expectDry(
      "prioritize-jobs",
      params,
      /1 with 5, 1 with 2\nwould give 1 waiting jobs the priority 9/,
    );
    const { run: ended, changed } = await scene.run("prioritize-jobs", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await priorities(seqs)).toEqual([9, 2, 5]);
    expect(changed).toEqual(["public.jobs"]);
    await takeBack(scene.ground, ended);
    expect(await priorities(seqs)).toEqual([5, 2, 5]);
  });

  test("gives back only what it moved and what still waits", async () => {
    const seqs = await scene.addJobs(2, { status: "pending", kind: "sync", priority: 3 });
    const { run: ended } = await scene.run("prioritize-jobs", { params: { kind: "sync", to: 8 } });
    const late = await scene.addJob({ status: "pending", kind: "sync", priority: 8 });
    await scene.ground.db.query(
      "UPDATE public.jobs SET status = 'completed', fence = fence + 1 WHERE seq = $1",
      [seqs[0]],
    );
    await takeBack(scene.ground, ended);
    expect(await priorities([...seqs, late])).toEqual([8, 3, 8]);
  });

  test("says that it cannot tell when its executor dies in the middle", async () => {
    const points = await crashEverywhere(scene.ground, "prioritize-jobs", async () => {
      await scene.clearJobs();
      const seq = await scene.addJob({ status: "pending", kind: "sync", priority: 3 });
      return {
        params: { kind: "sync", to: 8 },
        effects: async () => ((await scene.jobRow(seq))?.priority === 8 ? 1 : 0),
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
  const kinds = async () => (await listPauses(scene.ground.db)).map(({ kind }) => kind);
  const params = { kind: "ingest", for: "10m" };

  test("a pause is taken back, but not one that was there before", async () => {
    const { run: ended } = await scene.run("pause-queue", { params });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await kinds()).toEqual(["ingest"]);
    await takeBack(scene.ground, ended);
    expect(await kinds()).toEqual([]);

    await pauseQueue(scene.ground.db, {
      kind: "ingest",
      reason: "storm",
      by: "eve",
      expiresAt: null,
    });
    const { run: second } = await scene.run("pause-queue", { params });
    await takeBack(scene.ground, second);
    expect(await kinds()).toEqual(["ingest"]);
  });

  test("a resume is taken back with the reason and the rest of the time", async () => {
    await pauseQueue(scene.ground.db, {
      kind: "ingest",
      reason: "storm",
      by: "eve",
      expiresAt: null,
    });
    const { run: ended } = await scene.run("resume-queue", { params: { kind: "ingest" } });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(await kinds()).toEqual([]);
    await takeBack(scene.ground, ended);
    expect(await listPauses(scene.ground.db)).toMatchObject([{ kind: "ingest", reason: "storm" }]);
    await scene.run("resume-queue", { params: { kind: "ingest" } });
  });

  test("come to the same wherever their executor dies", async () => {
    const isPaused = async () => ((await kinds()).includes("ingest") ? 1 : 0);
    const pausing = await crashEverywhere(scene.ground, "pause-queue", async () => {
      await scene.ground.db.query("DELETE FROM control.queue_pause");
      return { params, effects: isPaused };
    });
    expect(pausing.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
    const resuming = await crashEverywhere(scene.ground, "resume-queue", async () => {
      await pauseQueue(scene.ground.db, {
        kind: "ingest",
        reason: "storm",
        by: "eve",
        expiresAt: null,
      });
      return { params: { kind: "ingest" }, effects: async () => 1 - (await isPaused()) };
    });
    expect(resuming.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });

  test("taking back comes to the same wherever its executor dies", async () => {
    await scene.ground.db.query("DELETE FROM control.queue_pause");
    const points = await crashEverywhere(scene.ground, "pause-queue", async () => {
      const { run: original } = await scene.run("pause-queue", { params });
      return { original, effects: async () => ((await kinds()).length === 0 ? 1 : 0) };
    });
    expect(points.map(inWords)).toEqual([
      "intent of resume, unless it was paused before: succeeded",
      "effect of resume, unless it was paused before: succeeded",
      "result of resume, unless it was paused before: succeeded",
    ]);
  });
});
