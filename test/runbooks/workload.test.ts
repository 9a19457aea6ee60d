/** The runbooks of the platform's own work: what they find, what they put in, and that a crash puts nothing in twice. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type JobScene, openJobScene, succeed } from "../support/job-scene.js";
import { crashEverywhere } from "../support/runbook.js";

let scene: JobScene;
beforeAll(async () => {
  scene = await openJobScene();
});
afterAll(() => scene.drop());

const REPO = "3f0c0d6e";

beforeEach(async () => {
  await scene.clearJobs();
  await scene.ground.db.query(`
    DELETE FROM public.repos; DELETE FROM public.scores; DELETE FROM public.identities; DELETE FROM public.claims;
    DELETE FROM control.backfill;
    INSERT INTO public.repos (id, name, org, location, head_commit) VALUES
      ('${REPO}', 'shop', 'acme', '/srv/shop', 'c0ffee'), ('twin-1', 'twin', 'a', NULL, NULL), ('twin-2', 'twin', 'b', NULL, NULL);
    INSERT INTO public.repos (id, name, archived) VALUES ('old', 'old', true);
    INSERT INTO public.scores (repo_id, score, formula, computed_at) VALUES
      ('${REPO}', 71.5, 'health-2', now() - interval '1 day'), ('twin-1', 40, 'health-2', now() - interval '9 days')`);
});

async function jobsOf(kind: string) {
  const { rows } = await scene.ground.db.query<{ payload: object; by: string; id: string }>(
    `SELECT payload, requested_by AS by, id FROM public.jobs WHERE job_type = $1 ORDER BY seq`,
    [kind],
  );
  return rows;
}

describe("find-missing-scores", () => {
  test("lists those without a recent score, those never scored first, and no archived ones (HB-sql-14)", async () => {
    const { run } = await scene.run("find-missing-scores", {});
    expect(run.output?.text).toBe(
      "2 repositories have none. To score one: /algobrain rescore-repo twin-2",
    );
    expect(run.output?.table?.rows).toEqual([
      ["twin", "twin-2", "never"],
      ["twin", "twin-1", expect.stringMatching(/^20\d\d-/)],
    ]);
  });
});

describe("rescore-repo", () => {
  test("puts one score job in, before other work, and tells the score", async () => {
    const { run, changed } = await scene.whileWorking(
      succeed,
      scene.run("rescore-repo", { params: { repo: "acme/shop" } }),
    );
    expect(run).toMatchObject({ status: "succeeded", outcome: "the score is 71.5 (health-2)" });
    expect(await jobsOf("score")).toMatchObject([{ payload: { repo_id: REPO }, by: "ann" }]);
    expect(changed).toEqual(expect.arrayContaining(["public.jobs"]));
  });

  test.each([
    ["twin", /no one repository called "twin"/],
    ["old", /is archived/],
    ["nobody", /no one repository/],
  ])("refuses %s", async (repo, words) => {
    const { run } = await scene.run("rescore-repo", { params: { repo } });
    expect(run).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(await jobsOf("score")).toEqual([]);
  });

  test("a job that fails fails the run, with its error", async () => {
    const { run } = await scene.whileWorking(
      () => "failed",
      scene.run("rescore-repo", { params: { repo: REPO } }),
    );
    expect(run).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/is failed: broken again/),
    });
  });
});

test("wherever its executor dies, a sync is put in once", async () => {
  const points = crashEverywhere(scene.ground, "trigger-sync", async () => {
    await scene.clearJobs();
    return { params: { org: "acme" }, effects: async () => (await jobsOf("sync")).length };
  });
  const ends = (await scene.whileWorking(succeed, points)).map(({ ended }) => ended);
  expect(ends.length).toBeGreaterThan(2);
  expect(new Set(ends)).toEqual(new Set(["succeeded"]));
});

describe("backfills", () => {
  test("run-backfill refuses ranges that are none, and puts in one job for one that is", async () => {
    const ask = (start: string, end: string) =>
      scene.whileWorking(
        succeed,
        scene.run("run-backfill", { params: { entity: "scores", start, end } }),
      );
    for (const [start, end, words] of [
      ["2026-02-01", "2026-01-01", /is before/],
      ["2026-13-01", "2026-13-02", /are no days/],
      ["2020-01-01", "2026-01-01", /too many/],
      ["2999-01-01", "2999-01-02", /has not come yet/],
    ] as const)
      expect((await ask(start, end)).run.outcome).toMatch(words);
    expect(await jobsOf("backfill")).toEqual([]);
    expect((await ask("2026-01-01", "2026-01-31")).run).toMatchObject({ status: "succeeded" });
    expect(await jobsOf("backfill")).toMatchObject([
      { payload: { entity: "scores", start_date: "2026-01-01", end_date: "2026-01-31" } },
    ]);
  });

  test("backfill-progress counts by parent, with zeros, what is left and percent (X-40)", async () => {
    const parent = await scene.addJob({ kind: "backfill", status: "running" });
    await scene.ground.db.query(
      `INSERT INTO control.backfill (job_seq, entity, first_day, last_day, planned, enqueued)
       VALUES ($1, 'scores', '2026-01-01', '2026-01-31', 8, 4)`,
      [parent],
    );
    for (const status of ["completed", "completed", "quarantined", "pending"] as const) {
      const seq = await scene.addJob({ kind: "score", status });
      await scene.ground.db.query("UPDATE public.jobs SET parent_seq = $1 WHERE seq = $2", [
        parent,
        seq,
      ]);
    }
    const { run } = await scene.run("backfill-progress", { params: {} });
    expect(run.output?.table?.rows).toEqual([
      [
        ...[`job-${parent} running`, "scores", "2026-01-01 to 2026-01-31"],
        ...["2 (25 %)", "1", "0", "1", "8"],
      ],
    ]);
    const { run: none } = await scene.run("backfill-progress", { params: { job: "job-1" } });
    expect(none.output?.text).toBe("job-1 is no backfill, or it has not begun");
  });
});

describe("repairs of people", () => {
  const addPeople = () =>
    scene.ground.db.query(`
      INSERT INTO public.identities (id, name, email) VALUES ('p1', 'Ada', 'ada@example.org'), ('p2', 'ada', 'ada@home.example');
      INSERT INTO public.claims (identity_id, repo_id, email, commit_count) VALUES ('p1', '${REPO}', 'ada@example.org', 3), ('gone', '${REPO}', 'bob@example.org', 1)`);

  test("repair-merge-identities shows who is who with masked addresses, counts, then merges", async () => {
    await addPeople();
    await scene.expectDry(
      "repair-merge-identities",
      { target: "p1", ids: "p2" },
      /stays: p1: Ada <a…@example\.org>, human, 1 claims, 3 commits\nmerged: p2: ada <a…@home\.example>/,
    );
    const { run } = await scene.whileWorking(
      succeed,
      scene.run("repair-merge-identities", { params: { target: "p1", ids: "p2" } }),
    );
    // Played workers merge nobody: that the job has completed is not believed.
    expect(run).toMatchObject({ status: "failed", outcome: "p2 stand as before" });
    expect(await jobsOf("repair")).toMatchObject([
      { payload: { dry_run: true, identity_ids: ["p2"], target_identity_id: "p1" } },
      { payload: { repair_type: "merge_identities", identity_ids: ["p2"] } },
    ]);
  });

  test("repair-orphaned-claims refuses when nothing is orphaned, and believes only the count", async () => {
    const none = await scene.run("repair-orphaned-claims", {});
    expect(none.run.outcome).toMatch(/nothing is to be removed/);
    await addPeople();
    const { run } = await scene.whileWorking(succeed, scene.run("repair-orphaned-claims", {}));
    expect(run).toMatchObject({
      status: "failed",
      outcome: "1 claims are still without an identity",
    });
    expect(await jobsOf("repair")).toMatchObject([
      { payload: { repair_type: "cleanup_orphaned_claims" } },
    ]);
  });
});

test("repair-rebuild-indexes names what serves nobody, and follows its job", async () => {
  const { run } = await scene.whileWorking(
    succeed,
    scene.run("repair-rebuild-indexes", { params: { only_invalid: true } }),
  );
  expect(run).toMatchObject({
    status: "succeeded",
    outcome: expect.stringMatching(/^every index works/),
  });
  expect(await jobsOf("repair")).toMatchObject([{ payload: { only_invalid: true } }]);
});

test("debug-identity-worker tells where a repository is, and reads it through a job", async () => {
  await scene.expectDry(
    "debug-identity-worker",
    { repo: REPO },
    /a copy at \/srv\/shop; not known to GitHub; in use; head c0ffee/,
  );
  await scene.whileWorking(
    succeed,
    scene.run("debug-identity-worker", { params: { repo: REPO, full: true } }),
  );
  expect(await jobsOf("identity")).toMatchObject([{ payload: { repo_id: REPO, full: true } }]);
});

test("run-gc tells what would go, and deletes by the count of its own dry run (HB-op-50)", async () => {
  expect((await scene.run("run-gc", {})).run.outcome).toMatch(/nothing would go/);
  await scene.ground.db.query(
    "INSERT INTO public.events (delivery_id, event_type, created_at) VALUES ('d-1', 'push', now() - interval '900 days')",
  );
  await scene.expectDry("run-gc", {}, /1 rows are older than their retention:\nevents: 1, before/);
  const { run } = await scene.whileWorking(succeed, scene.run("run-gc", {}));
  expect(run).toMatchObject({ status: "succeeded" });
  const [dry, real, ...others] = await jobsOf("gc");
  expect(dry).toMatchObject({ payload: { dry_run: true } });
  expect(real).toMatchObject({ payload: { preview: dry!.id } });
  expect(others).toEqual([]);
  await scene.ground.db.query("DELETE FROM public.events");
});
