/** What the cache holds of repositories, and that what changes them takes it out again (HB-wrk-17, X-38). */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { systemClock } from "../../src/base/clock.js";
import type { Cache } from "../../src/job/port.js";
import { CACHE_DEFAULTS } from "../../src/policy/defaults.js";
import type { Database } from "../../src/store/database.js";
import { findRepo } from "../../src/store/repos.js";
import { recordRepos } from "../../src/workload/record-repos.js";
import { latestScoreOf, warmRepos } from "../../src/workload/repo-cache.js";
import { withDatabase } from "../support/database.js";
import { makeSourceRepo } from "../support/fake-source.js";
import { addCommits, makeRepository, withFolder } from "../support/git-repository.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const ADA = "Ada Lovelace <ada@example.org>";

const lifetimes = () => CACHE_DEFAULTS;

function runner(db: Database, cache: Cache) {
  return workloadRunner(workloadDeps(db, { cache }));
}

async function addRepo(db: Database, id: string, day: number, extra = ""): Promise<void> {
  await db.query(
    `INSERT INTO repos (id, name, location, updated_at, archived)
     VALUES ($1, $1, '/srv/' || $1, $2, ${extra === "archived"})`,
    [id, new Date(Date.UTC(2026, 0, day))],
  );
}

describe("warming", () => {
  it("keeps the most recently active repositories and their latest scores, each for its time", async () => {
    await withDatabase(async (db) => {
      let nowMs = Date.UTC(2026, 0, 28);
      const cache = createMemoryCache({ now: () => new Date(nowMs), sleep: async () => {} });
      for (const [id, day] of [
        ["old", 1],
        ["scored", 3],
        ["plain", 2],
      ] as const)
        await addRepo(db, id, day);
      await addRepo(db, "gone", 4, "archived");
      await db.query(
        `INSERT INTO scores (repo_id, score, computed_at) VALUES
           ('scored', 70, '2026-01-02'), ('scored', 81.5, '2026-01-03'), ('scored', 60, '2026-01-01')`,
      );
      expect(await warmRepos({ db, cache, lifetimes }, 2)).toEqual({ entries: 3, kept: 3 });
      expect(await cache.get("repo:scores:latest:scored")).toEqual({
        ...{ score: 81.5, formula: null, commit: null },
        computedAt: "2026-01-03T00:00:00.000Z",
      });
      expect(await cache.get("repo:metadata:scored")).toEqual(await findRepo(db, "scored"));
      expect(await cache.get("repo:metadata:plain")).not.toBeNull();
      for (const id of ["old", "gone"]) expect(await cache.get(`repo:metadata:${id}`)).toBeNull();
      nowMs += 300_000;
      expect(await cache.get("repo:scores:latest:scored")).toBeNull();
      nowMs += 3_300_000 - 1;
      expect(await cache.get("repo:metadata:scored")).not.toBeNull();
      nowMs += 1;
      expect(await cache.get("repo:metadata:scored")).toBeNull();
    });
  });

  it("takes along what only GitHub has, and leaves out what can be read nowhere", async () => {
    await withDatabase(async (db) => {
      const cache = createMemoryCache(systemClock);
      const deps = workloadDeps(db, { cache });
      const origin = { seq: 1, id: "job-1" };
      await recordRepos(deps, [makeSourceRepo(1)], new Date("2026-01-01"), origin);
      await db.query("INSERT INTO repos (id, name) VALUES ('nowhere', 'nowhere')");
      expect(await warmRepos({ db, cache, lifetimes }, 10)).toEqual({ entries: 1, kept: 1 });
      expect(await cache.get("repo:metadata:nowhere")).toBeNull();
    });
  });

  it("asks the policy in force for the time of each entry (cache.yaml)", async () => {
    await withDatabase(async (db) => {
      let nowMs = Date.UTC(2026, 0, 28);
      const cache = createMemoryCache({ now: () => new Date(nowMs), sleep: async () => {} });
      await addRepo(db, "scored", 3);
      let repoMetadataMs = 60_000;
      const warm = () =>
        warmRepos({ db, cache, lifetimes: () => ({ ...CACHE_DEFAULTS, repoMetadataMs }) }, 1);
      await warm();
      nowMs += 60_000;
      expect(await cache.get("repo:metadata:scored")).toBeNull();
      repoMetadataMs = 120_000;
      await warm();
      nowMs += 60_000;
      expect(await cache.get("repo:metadata:scored")).not.toBeNull();
    });
  });
});

describe("the latest score", () => {
  it("is read through the cache, and anew once its time is over", () =>
    withDatabase(async (db) => {
      let nowMs = Date.UTC(2026, 0, 28);
      const cache = createMemoryCache({ now: () => new Date(nowMs), sleep: async () => {} });
      const latest = () => latestScoreOf({ db, cache, lifetimes }, "r");
      expect(await latest()).toBeNull();
      const add = (score: number, day: string) =>
        db.query(
          "INSERT INTO scores (repo_id, score, computed_at, formula) VALUES ('r', $1, $2, 'health-1')",
          [score, day],
        );
      await add(70, "2026-01-02");
      const first = await latest();
      expect(first).toEqual({
        ...{ score: 70, formula: "health-1", commit: null },
        computedAt: new Date("2026-01-02"),
      });
      await add(80, "2026-01-03");
      expect(await latest()).toEqual(first);
      nowMs += CACHE_DEFAULTS.repoScoreMs;
      expect(await latest()).toMatchObject({ score: 80 });
    }));

  it("is read from the rows when the cache holds what this version did not write", () =>
    withDatabase(async (db) => {
      const cache = createMemoryCache(systemClock);
      await db.query("INSERT INTO scores (repo_id, score) VALUES ('r', 70)");
      await cache.set("repo:scores:latest:r", { score: "70" }, 60_000);
      expect(await latestScoreOf({ db, cache, lifetimes }, "r")).toMatchObject({ score: 70 });
    }));
});

describe("work on a repository", () => {
  it("reads it from the cache at the next push, and forgets what it changes", () =>
    withFolder((folder) =>
      withDatabase(async (db) => {
        const cache = createMemoryCache(systemClock);
        const run = runner(db, cache);
        const push = async (delivery: string) => {
          const body = { repository: { clone_url: "https://github.com/acme/widgets" } };
          await db.query(
            "INSERT INTO control.inbound (source, delivery_id, event_type, body) VALUES ('github', $1, 'push', $2)",
            [delivery, body],
          );
          return run("ingest", { delivery_id: delivery });
        };
        expect(await push("before it is held")).toMatchObject({ sync: null });
        const path = join(folder, "a");
        const remote = "https://github.com/acme/widgets";
        await makeRepository(path, [{ author: ADA, at: "2026-06-01T00:00:00Z" }], { remote });
        await run("index", { path: folder });
        expect(await cache.reads()).toEqual({ hits: 0, misses: 1 });
        expect(await push("d-1")).toMatchObject({ sync: expect.stringMatching(/^job-/) });
        expect(await push("d-2")).toMatchObject({ sync: expect.stringMatching(/^job-/) });
        expect(await cache.reads()).toEqual({ hits: 1, misses: 2 });

        const { rows } = await db.query<{ id: string }>("SELECT id FROM repos");
        const [{ id }] = rows as [{ id: string }];
        const keys = [`repo:metadata:${id}`, `repo:scores:latest:${id}`];
        const kept = async () => Promise.all(keys.map(async (key) => !!(await cache.get(key))));
        await run("score", { repo_id: id });
        await warmRepos({ db, cache, lifetimes }, 1);
        expect(await kept()).toEqual([true, true]);
        await run("sync", { repo_id: id });
        expect(await kept()).toEqual([true, true]);
        await addCommits(path, [{ author: ADA, at: "2026-06-02T00:00:00Z" }]);
        await run("sync", { repo_id: id });
        expect(await kept()).toEqual([false, true]);
        await run("score", { repo_id: id });
        expect(await kept()).toEqual([false, false]);
        await warmRepos({ db, cache, lifetimes }, 1);
        await run("index", { path: folder });
        expect(await kept()).toEqual([false, true]);
      }),
    ));
});
