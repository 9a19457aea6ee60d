/** A push that comes while jobs of the repository run or wait is read all the same. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RepoStore } from "../../src/job/source-port.js";
import type { Database } from "../../src/store/database.js";
import { withRepo } from "../../src/workload/held-repo.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { createFakeSource, makeSourceRepo } from "../support/fake-source.js";
import { addCommits, makeRepository, withFolder } from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

const RUN_ALL =
  "UPDATE jobs SET status = 'running', worker_id = 'x-worker-1', fence = fence + 1 WHERE status = 'pending'";

/** Kinds of the jobs that wait for the repository. */
async function waitingFor(id: string): Promise<string[]> {
  const { rows } = await db.query<{ kind: string }>(
    `SELECT job_type AS kind FROM jobs
     WHERE status = 'pending' AND payload ->> 'repo_id' = $1 ORDER BY seq`,
    [id],
  );
  return rows.map(({ kind }) => kind);
}

it("asks again for people and score when GitHub tells of a push while they are read", async () => {
  const source = createFakeSource("pushed.example.org");
  const run = workloadRunner(workloadDeps(db, { source }));
  source.add(makeSourceRepo(1, { host: source.host, owner: "acme" }));
  await run("index", { org_name: "acme" }, { now: "2026-06-15T12:00:00Z" });
  const { rows } = await db.query<{ id: string }>(
    "SELECT repo_id AS id FROM control.repo_source WHERE host = $1",
    [source.host],
  );
  const id = rows[0]?.id ?? "";
  expect(await waitingFor(id)).toEqual(["identity", "score"]);
  await db.query(RUN_ALL);
  source.repos.set(1, { ...source.repos.get(1)!, pushedAt: new Date("2026-06-15T12:01:00Z") });
  const pushed = { now: "2026-06-15T12:02:00Z" };
  expect(await run("sync", { repo_id: id }, pushed)).toEqual({ outcome: "pushed" });
  expect(await waitingFor(id)).toEqual(["identity", "score"]);
});

it("asks no second time for what stands in quarantine, until there is a push", async () => {
  const source = createFakeSource("broken.example.org");
  const run = workloadRunner(workloadDeps(db, { source }));
  source.add(makeSourceRepo(1, { host: source.host, owner: "acme" }));
  const index = (minute: number) =>
    run("index", { org_name: "acme" }, { now: `2026-06-15T12:0${minute}:00Z` });
  expect(await index(0)).toMatchObject({ jobs_enqueued: 2 });
  await db.query(
    "UPDATE jobs SET status = 'quarantined', error = 'REPO_TOO_LARGE', completed_at = now() WHERE status = 'pending'",
  );
  expect(await index(1)).toMatchObject({ jobs_enqueued: 0 });
  source.repos.set(1, { ...source.repos.get(1)!, pushedAt: new Date("2026-06-15T12:01:00Z") });
  expect(await index(2)).toMatchObject({ pushed: 1, jobs_enqueued: 2 });
});

it("asks again when the head of a copy in a folder moves while it is read", () =>
  withFolder(async (folder) => {
    const run = workloadRunner(workloadDeps(db));
    const ada = "Ada <ada@example.org>";
    const path = join(folder, "a");
    await makeRepository(path, [{ author: ada, at: "2026-06-01T00:00:00Z" }]);
    await run("index", { path: folder });
    const { rows } = await db.query<{ id: string }>("SELECT id FROM repos WHERE location = $1", [
      path,
    ]);
    const id = rows[0]?.id ?? "";
    for (const [day, look] of [
      ["02", () => run("sync", { repo_id: id })],
      ["03", () => run("index", { path: folder })],
    ] as const) {
      await db.query(RUN_ALL);
      await addCommits(path, [{ author: ada, at: `2026-06-${day}T00:00:00Z` }]);
      await look();
      expect(await waitingFor(id)).toEqual(["identity", "score"]);
    }
  }));

it("needs a clone of after the last news, also for a job that had waited since before them", async () => {
  await db.query("INSERT INTO repos (id, name, org) VALUES ('repo-late', 'r', 'o')");
  await db.query(
    `INSERT INTO control.repo_source (repo_id, host, github_id, owner, name, clone_url, default_branch,
       is_private, is_fork, is_archived, seen_at, pushed_at)
     VALUES ('repo-late', 'late', 7, 'o', 'r', 'https://late/o/r.git', 'main', true, false, false,
       '2026-06-15T12:03:00Z', '2026-06-15T12:02:00Z')`,
  );
  const asked: string[] = [];
  const clones: RepoStore = {
    hold: async (_, { freshAfter }) => {
      asked.push(freshAfter.toISOString());
      return { at: { path: "/clone", root: "/clone" }, release: async () => {} };
    },
    forget: async () => {},
    stats: async () => ({ repos: 0, bytes: 0 }),
  };
  for (const createdAt of ["2026-06-15T12:00:00Z", "2026-06-15T12:05:00Z"])
    await withRepo(
      { db, clones },
      "repo-late",
      makeContext({ payload: {}, createdAt }),
      async () => {},
    );
  expect(asked).toEqual(["2026-06-15T12:03:00.000Z", "2026-06-15T12:05:00.000Z"]);
});
