/** index, identity and score together, on real repositories and a real database. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import type { Git } from "../../src/job/port.js";
import type { Database } from "../../src/store/database.js";
import { indexFolder } from "../../src/workload/handler/index-folder.js";
import { withDatabase } from "../support/database.js";
import { addCommits, makeRepository, withFolder } from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const git = createGit(createShell({ redact: (text) => text }));
const cache = createMemoryCache(systemClock);
const ADA = "Ada Lovelace <ada@example.org>";
const ONE = [{ author: ADA, at: "2026-06-01T00:00:00Z" }];

function runner(db: Database) {
  const run = workloadRunner(workloadDeps(db, { git, cache }));
  return (kind: string, payload: JsonObject, seq = 1) => run(kind, payload, { seq });
}

const withBoth = (test: (db: Database, folder: string) => Promise<void>) =>
  withFolder((folder) => withDatabase((db) => test(db, folder)));

async function waitingJobs(db: Database) {
  const { rows } = await db.query<{ job_type: string; payload: JsonObject; parent_seq: number }>(
    "SELECT job_type, payload, parent_seq FROM jobs WHERE status = 'pending' ORDER BY seq",
  );
  return rows;
}

async function rowOf(db: Database, name: string) {
  const { rows } = await db.query<JsonObject & { id: string }>(
    "SELECT id, name, org, location, head_commit, archived FROM repos WHERE name = $1",
    [name],
  );
  return rows[0];
}

describe("index", () => {
  it("keeps a row for each repository and asks once for its people and its score", () =>
    withBoth(async (db, folder) => {
      await makeRepository(join(folder, "a"), ONE, { remote: "git@github.com:Acme/Widgets.git" });
      await makeRepository(join(folder, "b"), ONE);
      await makeRepository(join(folder, "empty"), []);
      const run = runner(db);
      const counts = { found: 3, empty: 1, archived: 0, unreadable: {} };
      expect(await run("index", { path: folder }, 7)).toEqual({ ...counts, jobs_enqueued: 4 });
      expect(await run("index", { path: folder }, 8)).toEqual({ ...counts, jobs_enqueued: 0 });
      const widgets = await rowOf(db, "Widgets");
      expect(widgets).toMatchObject({ org: "Acme", location: join(folder, "a"), archived: false });
      const jobs = await waitingJobs(db);
      expect(jobs.filter(({ payload }) => payload.repo_id === widgets?.id)).toEqual([
        { job_type: "identity", payload: { repo_id: widgets?.id }, parent_seq: 7 },
        { job_type: "score", payload: { repo_id: widgets?.id }, parent_seq: 7 },
      ]);
    }));

  it("counts two clones of one remote as one repository", () =>
    withBoth(async (db, folder) => {
      for (const [name, remote] of [
        ["a", "https://github.com/o/n"],
        ["b", "git@github.com:o/n.git"],
      ])
        await makeRepository(join(folder, name!), ONE, { remote: remote! });
      expect(await runner(db)("index", { path: folder })).toMatchObject({ found: 1 });
      expect(await rowOf(db, "n")).toMatchObject({ location: join(folder, "a") });
    }));

  it("archives what has vanished, and takes it back when it returns", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      await makeRepository(join(folder, "a"), ONE);
      await makeRepository(join(folder, "b"), ONE);
      await run("index", { path: folder });
      rmSync(join(folder, "b"), { recursive: true });
      expect(await run("index", { path: folder })).toMatchObject({ found: 1, archived: 1 });
      expect(await rowOf(db, "b")).toMatchObject({ archived: true });
      expect(await run("identity", { repo_id: (await rowOf(db, "b"))!.id })).toHaveProperty(
        "skipped",
      );
      await makeRepository(join(folder, "b"), ONE);
      await run("index", { path: folder });
      expect(await rowOf(db, "b")).toMatchObject({ archived: false });
    }));

  it("goes on past a broken repository, names it, and does not take it for gone", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      await makeRepository(join(folder, "good"), ONE);
      const bad = await makeRepository(join(folder, "bad"), ONE);
      await run("index", { path: folder });
      rmSync(join(bad, ".git", "HEAD"));
      expect(await run("index", { path: folder })).toMatchObject({
        found: 1,
        archived: 0,
        unreadable: { bad: expect.stringContaining("cannot be read as a Git repository") },
      });
      expect(await rowOf(db, "bad")).toMatchObject({ archived: false });
    }));

  it("goes on past a repository that git cannot read in time", () =>
    withBoth(async (db, folder) => {
      await makeRepository(join(folder, "good"), ONE);
      await makeRepository(join(folder, "stuck"), ONE);
      const slow: Git = {
        ...git,
        head: (at, signal) =>
          at.path.endsWith("stuck")
            ? Promise.reject(fault.transient("GIT_STOPPED", "git did not end by itself (timeout)"))
            : git.head(at, signal),
      };
      const context = makeContext({ payload: { path: folder } });
      expect(await indexFolder({ db, git: slow, cache }, folder, context)).toMatchObject({
        found: 1,
        unreadable: { stuck: "git did not end by itself (timeout)" },
      });
    }));

  it("takes a single repository as its path", () =>
    withBoth(async (db, folder) => {
      const path = await makeRepository(join(folder, "only"), ONE);
      expect(await runner(db)("index", { path })).toMatchObject({ found: 1, jobs_enqueued: 2 });
    }));

  it("says in one sentence what is wrong with the path, and writes nothing", () =>
    withBoth(async (db, folder) => {
      mkdirSync(join(folder, "nothing"));
      const run = runner(db);
      const wrong = [
        [{ path: join(folder, "nothing") }, "data", "NO_REPOSITORIES"],
        [{ path: join(folder, "missing") }, "data", "FOLDER_UNREADABLE"],
        [{ path: "relative/path" }, "data", "FOLDER_UNREADABLE"],
        [{ org_id: "1", org_name: "acme" }, "refused", "GITHUB_NOT_CONFIGURED"],
      ] as const;
      for (const [payload, kind, code] of wrong)
        await expect(run("index", payload)).rejects.toMatchObject({ kind, code });
      expect(await waitingJobs(db)).toEqual([]);
    }));
});

describe("index, then identity and score", () => {
  it("fill identities, claims and scores from the real history, and again change nothing", () =>
    withBoth(async (db, folder) => {
      await makeRepository(join(folder, "a"), [
        { author: ADA, at: "2026-06-01T00:00:00Z" },
        { author: "ada <1+ada@users.noreply.github.com>", at: "2026-06-02T00:00:00Z" },
        {
          author: "Bob Hope <bob@example.org>",
          at: "2026-06-03T00:00:00Z",
          message: "pair\n\nCo-authored-by: Ada Lovelace <ada@home.example.net>",
        },
        {
          author: "dependabot[bot] <1+dependabot[bot]@users.noreply.github.com>",
          at: "2026-06-04T00:00:00Z",
        },
      ]);
      const run = runner(db);
      await run("index", { path: folder });
      const repo_id = (await rowOf(db, "a"))!.id;
      const result = await run("identity", { repo_id });
      expect(result).toMatchObject({ commits: 4, claims: 5, bots: 1, identities_merged: 1 });
      const score = await run("score", { repo_id });
      expect(score).toMatchObject({ as_of: "2026-06-15", parts: { busFactor: { busFactor: 2 } } });

      const read = async () => ({
        identities: (
          await db.query("SELECT id, name, email, kind, merged_into FROM identities ORDER BY id")
        ).rows,
        claims: (await db.query("SELECT * FROM claims ORDER BY id")).rows,
        scores: (await db.query("SELECT repo_id, score, parts, formula, commit FROM scores")).rows,
      });
      const before = await read();
      expect(before.claims).toHaveLength(5);
      const standing = before.identities.filter((row) => (row as JsonObject).merged_into === null);
      expect(standing).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ name: "Ada Lovelace", kind: "human" }),
          expect.objectContaining({ name: "Bob Hope", kind: "human" }),
          expect.objectContaining({ name: "dependabot[bot]", kind: "bot" }),
        ]),
      );
      await run("identity", { repo_id });
      await run("score", { repo_id });
      expect(await read()).toEqual(before);
    }));

  it("forget a signature that a rewritten history no longer has", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      const path = await makeRepository(join(folder, "a"), ONE);
      await run("index", { path });
      const repo_id = (await rowOf(db, "a"))!.id;
      await run("identity", { repo_id });
      rmSync(path, { recursive: true });
      await makeRepository(path, [{ author: "Bob <bob@example.org>", at: "2026-06-01T00:00:00Z" }]);
      expect(await run("identity", { repo_id })).toMatchObject({ claims: 1, claims_removed: 1 });
    }));

  it("reach the same people in whichever order repositories are read", () =>
    withFolder(async (folder) => {
      await makeRepository(join(folder, "a"), [
        ...ONE,
        { author: "Ada Lovelace <ada@home.example.net>", at: "2026-06-02T00:00:00Z" },
      ]);
      await makeRepository(join(folder, "b"), [
        { author: "Ada Byron <ada@home.example.net>", at: "2026-06-02T00:00:00Z" },
        { author: "Ada Byron <ada@old.example.com>", at: "2026-06-02T00:00:00Z" },
      ]);
      const outcomes: unknown[] = [];
      for (const order of [
        ["a", "b"],
        ["b", "a"],
      ])
        await withDatabase(async (db) => {
          const run = runner(db);
          await run("index", { path: folder });
          for (const name of [...order, ...order])
            await run("identity", { repo_id: (await rowOf(db, name))!.id });
          const { rows } = await db.query("SELECT id, merged_into FROM identities ORDER BY id");
          outcomes.push(rows);
        });
      expect(outcomes[0]).toEqual(outcomes[1]);
    }));

  it("are data faults for a repository that is unknown, broken or gone", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      const path = await makeRepository(join(folder, "a"), ONE);
      await run("index", { path });
      const repo_id = (await rowOf(db, "a"))!.id;
      rmSync(path, { recursive: true });
      for (const kind of ["identity", "score"]) {
        await expect(run(kind, { repo_id: "nope" })).rejects.toMatchObject({
          code: "REPO_UNKNOWN",
        });
        await expect(run(kind, { repo_id })).rejects.toMatchObject({
          kind: "data",
          code: "GIT_REPOSITORY_MISSING",
        });
      }
    }));
});

describe("sync", () => {
  it("asks for people and score when the head has moved, and archives what is gone", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      const a = await makeRepository(join(folder, "a"), ONE);
      const b = await makeRepository(join(folder, "b"), ONE);
      await run("index", { path: folder });
      await db.query("DELETE FROM jobs");
      const repo_id = (await rowOf(db, "a"))!.id;
      expect(await run("sync", { repo_id })).toEqual({ outcome: "unchanged" });
      await addCommits(a, [{ author: ADA, at: "2026-06-05T00:00:00Z" }]);
      rmSync(b, { recursive: true });
      const counts = { moved: 1, unchanged: 0, vanished: 1, unreadable: 0, owners: 0 };
      expect(await run("sync", {}, 9)).toEqual(counts);
      expect((await waitingJobs(db)).map(({ job_type }) => job_type)).toEqual([
        "identity",
        "score",
      ]);
      expect(await rowOf(db, "b")).toMatchObject({ archived: true });
      expect(await run("sync", {})).toEqual({ ...counts, moved: 0, unchanged: 1, vanished: 0 });
    }));
});

describe("ingest", () => {
  it("stores a delivery once, and a push to a repository held here asks for its sync", () =>
    withBoth(async (db, folder) => {
      const run = runner(db);
      await makeRepository(join(folder, "a"), ONE, { remote: "https://github.com/acme/widgets" });
      await run("index", { path: folder });
      const { id: repo_id } = (await rowOf(db, "widgets"))!;
      const push = {
        repository: { clone_url: "https://github.com/Acme/Widgets.git" },
        head_commit: { timestamp: "2026-06-01T10:00:00+02:00" },
      };
      await db.query(
        `INSERT INTO control.inbound (source, delivery_id, event_type, body)
         VALUES ('github', 'd-1', 'push', $1), ('github', 'd-2', 'meta', '{"odd": [1, null]}')`,
        [push],
      );
      expect(await run("ingest", { delivery_id: "d-1" })).toEqual({
        event: "stored",
        repo_id,
        sync: expect.stringMatching(/^job-/),
        score: null,
      });
      expect(await run("ingest", { delivery_id: "d-1" })).toMatchObject({
        event: "known",
        sync: null,
      });
      expect(await run("ingest", { delivery_id: "d-2" })).toMatchObject({
        event: "stored",
        repo_id: null,
      });
      const { rows } = await db.query(
        "SELECT delivery_id, repo_id, occurred_at FROM events ORDER BY id",
      );
      expect(rows[0]).toEqual({
        delivery_id: "d-1",
        repo_id,
        occurred_at: new Date("2026-06-01T08:00:00Z"),
      });
      expect(rows).toHaveLength(2);
      expect((await waitingJobs(db)).filter(({ job_type }) => job_type === "sync")).toHaveLength(1);
      await expect(run("ingest", { delivery_id: "d-9" })).rejects.toMatchObject({
        code: "DELIVERY_UNKNOWN",
      });
    }));
});
