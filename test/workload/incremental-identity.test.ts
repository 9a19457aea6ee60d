/** A history is read once, and then only what is new: with the same rows as if it were read whole each time. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { Git } from "../../src/job/port.js";
import type { Database } from "../../src/store/database.js";
import {
  createIdentityHandler,
  type IdentityDeps,
} from "../../src/workload/handler/identify-people.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  addCommits,
  type MadeCommit,
  makeRepository,
  git as runGit,
  withFolder,
} from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";
import { workloadDeps } from "../support/workload-deps.js";

const START_MS = Date.parse("2024-01-01T00:00:00Z");
const PEOPLE = [
  "Ada Lovelace <ada@engine.org>",
  "Ada Lovelace <ada@gmail.com>",
  "Bob Hope <bob@hope.org>",
  "release-bot <release@engine.org>",
  "Dora Maar <7+dora@users.noreply.github.com>",
];
const MAILMAP = { ".mailmap": "Bob Hope <bob@hope.org> Bobby <bobby@home.net>\n" };

function* commits(
  from: number,
  count: number,
  more: Partial<MadeCommit> = {},
): Generator<MadeCommit> {
  for (let at = from; at < from + count; at++)
    yield {
      author: PEOPLE[(at * 7) % PEOPLE.length]!,
      at: new Date(START_MS + at * 3_600_000).toISOString(),
      ...(at % 5 === 0 ? { message: "change\n\nCo-authored-by: Bobby <bobby@home.net>\n" } : {}),
      ...more,
    };
}

let at: TestDatabase;
let db: Database;
beforeAll(async () => {
  at = await createTestDatabase();
  db = at.db;
});
afterAll(() => at.drop());

/** Two rows for one folder: `on` is read on, `whole` is read anew each time. */
async function withRepository(
  made: Iterable<MadeCommit>,
  test: (repo: { path: string; on: string; whole: string }) => Promise<void>,
): Promise<void> {
  await db.query(
    "TRUNCATE repos, claims, identities, control.identity_merge, control.repo_history",
  );
  await withFolder(async (folder) => {
    const path = await makeRepository(join(folder, "engine"), [...made]);
    await db.query(
      "INSERT INTO repos (id, name, location, root) VALUES ('on', 'engine', $1, $2), ('whole', 'engine', $1, $2)",
      [path, folder],
    );
    await test({ path, on: "on", whole: "whole" });
  });
}

function identify(repo_id: string, full = false): Promise<JsonObject> {
  return identifyBy(workloadDeps(db), repo_id, full);
}

async function identifyBy(deps: IdentityDeps, repo_id: string, full = false): Promise<JsonObject> {
  const context = makeContext({ kind: "identity", payload: { repo_id, full } });
  return (await createIdentityHandler(deps).run(context)) as JsonObject;
}

async function claimsOf(repoId: string): Promise<object[]> {
  const { rows } = await db.query(
    `SELECT identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at, reason
     FROM claims WHERE repo_id = $1 ORDER BY kind, email, name`,
    [repoId],
  );
  return rows;
}

/** Also where each row lies and who wrote it: a row that was written anew lies elsewhere. */
async function rowsAsTheyLie(): Promise<object[]> {
  const tables = ["claims", "identities", "control.identity_merge", "control.repo_history"];
  const parts = tables.map(
    (table) => `SELECT '${table}' AS table, xmin::text, ctid::text FROM ${table}`,
  );
  return (await db.query(`${parts.join(" UNION ALL ")} ORDER BY 1, 3`)).rows;
}

describe("a history (HB-wrk-03)", () => {
  it("that has nothing new is not read, and not a row is written", () =>
    withRepository(commits(0, 50), async () => {
      expect(await identify("on")).toMatchObject({ commits: 50, commits_read: 50 });
      const before = await rowsAsTheyLie();
      const unread: Git = { ...workloadDeps(db).git, commits: notAsked };
      const deps = workloadDeps(db, { git: unread });
      expect(await identifyBy(deps, "on")).toMatchObject({
        unchanged: true,
        commits: 50,
      });
      expect(await rowsAsTheyLie()).toEqual(before);
      expect(await identify("on", true)).toMatchObject({ commits: 50, commits_read: 50 });
      const { rows } = await db.query(
        "SELECT count(*)::int AS n FROM claims WHERE xmin::text <> ALL ($1)",
        [before.map((row) => (row as { xmin: string }).xmin)],
      );
      expect(rows).toEqual([{ n: 0 }]);
    }));

  it("that has new commits is read from there on, to the rows of a whole read", () =>
    withRepository(commits(0, 5_000), async ({ path }) => {
      await identify("on");
      for (const from of [5_000, 5_010]) {
        await addCommits(path, commits(from, 10));
        expect(await identify("on")).toMatchObject({ commits: from + 10, commits_read: 10 });
        await identify("whole", true);
        expect(await claimsOf("on")).toEqual(await claimsOf("whole"));
      }
    }));

  it.each<[string, (path: string) => Promise<void> | void, number]>([
    [
      "names people by another mailmap",
      (path) => addCommits(path, commits(40, 1, { files: MAILMAP })),
      41,
    ],
    ["was written anew", (path) => rewrite(path), 3],
    [
      "lost its newest commits",
      (path) => void runGit(path, "update-ref", "refs/heads/main", "main~7"),
      33,
    ],
    [
      "has claims that somebody changed",
      async () => {
        await db.query(
          "DELETE FROM claims WHERE id = (SELECT min(id) FROM claims WHERE repo_id = 'on')",
        );
      },
      40,
    ],
  ])("that %s is read whole", (_, change, commitCount) =>
    withRepository(commits(0, 40), async ({ path }) => {
      await identify("on");
      await change(path);
      expect(await identify("on")).toMatchObject({
        commits: commitCount,
        commits_read: commitCount,
      });
      await identify("whole", true);
      expect(await claimsOf("on")).toEqual(await claimsOf("whole"));
    }),
  );

  it("that lost all its commits claims nobody, and begins anew with the next", () =>
    withRepository(commits(0, 5), async ({ path }) => {
      await identify("on");
      runGit(path, "update-ref", "-d", "refs/heads/main");
      expect(await identify("on")).toMatchObject({ commit: null, commits: 0, claims: 0 });
      expect(await claimsOf("on")).toEqual([]);
      await addCommits(path, commits(0, 4));
      expect(await identify("on")).toMatchObject({ commits: 4, commits_read: 4 });
    }));

  it("cut at any statement of its one transaction leaves all as it was, and is then read as if never cut", () =>
    withRepository(commits(0, 30), async ({ path }) => {
      await identify("on");
      await addCommits(path, commits(30, 10));
      const before = await rowsAsTheyLie();
      const { statements } = await identifyCut("on", Number.POSITIVE_INFINITY, true);
      expect(statements).toBeGreaterThan(8);
      for (let cutAfter = 1; cutAfter < statements; cutAfter++) {
        await expect(identifyCut("on", cutAfter)).rejects.toThrow("cut");
        expect(await rowsAsTheyLie()).toEqual(before);
      }
      expect(await identify("on")).toMatchObject({ commits: 40, commits_read: 10 });
      await identify("whole", true);
      expect(await claimsOf("on")).toEqual(await claimsOf("whole"));
    }));

  it("read by two at once is added up once: the later of the two begins again", () =>
    withRepository(commits(0, 30), async ({ path }) => {
      await identify("on");
      await addCommits(path, commits(30, 10));
      // The first looks at what is known, and before it writes the second has done the same work.
      const git = workloadDeps(db).git;
      const late: Git = {
        ...git,
        isAncestor: async (...asked) => {
          await identify("on");
          return git.isAncestor(...asked);
        },
      };
      const deps = workloadDeps(db, { git: late });
      await expect(identifyBy(deps, "on")).rejects.toMatchObject({
        kind: "transient",
        code: "HISTORY_MOVED",
      });
      expect(await identifyBy(deps, "on")).toMatchObject({
        unchanged: true,
        commits: 40,
      });
      await identify("whole", true);
      expect(await claimsOf("on")).toEqual(await claimsOf("whole"));
    }));
});

function notAsked(): never {
  throw new Error("a history without news is not read");
}

/** Other commits from the first on, as a rebase makes them. */
async function rewrite(path: string): Promise<void> {
  runGit(path, "update-ref", "-d", "refs/heads/main");
  await addCommits(path, commits(100, 3));
}

/** Breaks the transaction off after so many of its statements; `undo` lets it come to its end and takes it back. */
async function identifyCut(
  repo_id: string,
  cutAfter: number,
  undo = false,
): Promise<{ statements: number }> {
  let statements = 0;
  const cutting: Database = {
    ...db,
    transaction: (work) =>
      db.transaction(async (tx) => {
        const value = await work({
          query: (...asked) => {
            if (++statements > cutAfter) throw new Error("cut");
            return tx.query(...asked);
          },
        });
        if (undo) throw new Error("taken back");
        return value;
      }),
  };
  await identifyBy(workloadDeps(cutting), repo_id).catch((error: Error) => {
    if (!undo || error.message !== "taken back") throw error;
  });
  return { statements };
}
