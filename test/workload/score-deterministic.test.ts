/** A score of a day is the same whenever and wherever it is computed: from a real history, with real rows. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { CACHE_DEFAULTS, WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import { createScoreHandler } from "../../src/workload/handler/score-repo.js";
import { latestScoreOf } from "../../src/workload/repo-cache.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { addCommits, git, makeRepository, tag, withFolder } from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";

let at: TestDatabase;
beforeAll(async () => {
  at = await createTestDatabase();
});
afterAll(() => at.drop());

const cache = createMemoryCache(systemClock);
const deps = () => ({
  ...{ db: at.db, cache, clones: null, policy: () => WORKLOAD_DEFAULTS },
  git: createGit(createShell({ redact: (text) => text })),
});
const run = (payload: JsonObject, over: { now?: string; policy?: typeof WORKLOAD_DEFAULTS } = {}) =>
  createScoreHandler({ ...deps(), policy: () => over.policy ?? WORKLOAD_DEFAULTS }).run(
    makeContext({ kind: "score", payload, ...over }),
  );

const ADA = "Ada Lovelace <ada@example.org>";
const BOB = "Bob Brook <bob@example.org>";
const HISTORY = [
  { author: ADA, at: "2026-01-05T10:00:00Z" },
  { author: BOB, at: "2026-02-10T10:00:00Z" },
  { author: ADA, at: "2026-03-01T23:30:00Z" },
];
const LATER = [{ author: BOB, at: "2026-03-02T00:30:00Z" }];

const addRepo = (id: string, location: string) =>
  at.db.query("INSERT INTO repos (id, name, location, root) VALUES ($1, $1, $2, $2)", [
    id,
    location,
  ]);

type Event = readonly [type: string, at: string, payload: JsonObject, source?: string];

const user = (login: string) => ({ login, type: "User" });
const PULL = { number: 7, user: user("ada"), created_at: "2026-02-01T00:00:00Z" };
const merged = (number: number, atTime: string, source = "github"): Event => [
  "pull_request",
  atTime,
  { action: "closed", pull_request: { ...PULL, number, merged: true, merged_at: atTime } },
  source,
];
const reviewed = (number: number, atTime: string, by: string): Event => [
  "pull_request_review",
  atTime,
  {
    action: "submitted",
    pull_request: { ...PULL, number },
    review: { user: user(by), submitted_at: atTime },
  },
];
/** Two merged, one of them read by another after a day; all else says nothing of the day. */
const EVENTS: readonly Event[] = [
  reviewed(7, "2026-02-02T00:00:00Z", "bob"),
  merged(7, "2026-02-03T00:00:00Z"),
  merged(8, "2026-02-20T00:00:00Z"),
  reviewed(8, "2026-02-19T00:00:00Z", "ada"),
  merged(9, "2026-02-21T00:00:00Z", "github-api"),
  merged(10, "2025-01-01T00:00:00Z"),
  ["pull_request", "2026-02-22T00:00:00Z", { action: "closed", pull_request: { merged: false } }],
  ["push", "2026-02-22T00:00:00Z", {}],
];

async function addEvents(repoId: string, events: readonly Event[]): Promise<void> {
  for (const [type, occurredAt, payload, source = "github"] of events)
    await at.db.query(
      "INSERT INTO events (source, event_type, repo_id, payload, occurred_at) VALUES ($1, $2, $3, $4, $5)",
      [source, type, repoId, JSON.stringify(payload), occurredAt],
    );
}

async function rowsOf(repoId: string) {
  const { rows } = await at.db.query<JsonObject>(
    `SELECT score::float8 AS score, formula, commit, parts FROM scores WHERE repo_id = $1 ORDER BY formula, id`,
    [repoId],
  );
  return rows;
}

const DAY = "2026-03-01";

test("a past day has the same row after more was committed, tagged and reviewed, and in another copy (HB-wrk-04)", () =>
  withFolder(async (folder) => {
    const path = await makeRepository(join(folder, "a"), HISTORY);
    tag(path, "v1", "2026-02-15T00:00:00Z");
    const head = git(path, "rev-parse", "HEAD");
    await addRepo("a", path);
    await addEvents("a", EVENTS);
    await run({ repo_id: "a", as_of: DAY });
    const first = await rowsOf("a");
    expect(first).toEqual([
      expect.objectContaining({ formula: "health-2", commit: head, score: expect.any(Number) }),
    ]);
    expect(first[0]?.parts).toMatchObject({
      asOf: DAY,
      activity: { commits90d: 3 },
      release: { daysSinceRelease: 14 },
      review: { merged90d: 2, reviewed90d: 1, hoursToReview: 24, value: 50, weight: 0.2 },
    });

    const copy = join(folder, "copy");
    git(folder, "clone", "--quiet", "--bare", path, copy);
    await addCommits(path, LATER);
    tag(path, "v2", "2026-03-02T00:00:00Z");
    await addEvents("a", [merged(11, "2026-03-02T01:00:00Z")]);
    await run({ repo_id: "a", as_of: DAY }, { now: "2026-07-01T00:00:00Z" });
    expect(await rowsOf("a")).toEqual(first);

    await addRepo("copy", copy);
    await addEvents("copy", EVENTS.toReversed());
    await run({ repo_id: "copy", as_of: DAY });
    expect(await rowsOf("copy")).toEqual(first);
  }));

test("the day of the job has the head, other weights a row of their own, and the newest is read through the cache", () =>
  withFolder(async (folder) => {
    const path = await makeRepository(join(folder, "b"), [...HISTORY, ...LATER]);
    await addRepo("b", path);
    const read = () => latestScoreOf({ ...deps(), lifetimes: () => CACHE_DEFAULTS }, "b");
    expect(await read()).toBeNull();
    const result = await run({ repo_id: "b" }, { now: "2026-03-02T12:00:00Z" });
    expect(result).toMatchObject({ commit: git(path, "rev-parse", "HEAD"), as_of: "2026-03-02" });
    const [row] = await rowsOf("b");
    expect(row?.parts).toMatchObject({ leftOut: ["review"] });
    expect(await read()).toMatchObject({ score: row?.score, formula: "health-2" });

    const { scoring } = WORKLOAD_DEFAULTS;
    const weights = { ...scoring.weights, activity: 0.2, freshness: 0.25 };
    const policy = { ...WORKLOAD_DEFAULTS, scoring: { ...scoring, weights } };
    await run({ repo_id: "b" }, { now: "2026-03-02T13:00:00Z", policy });
    const old = { ...WORKLOAD_DEFAULTS, scoring: { ...scoring, formula: "health-1" as const } };
    await run({ repo_id: "b" }, { now: "2026-03-02T11:00:00Z", policy: old });
    const names = (await rowsOf("b")).map(({ formula }) => formula);
    expect(names).toEqual([
      "health-1",
      "health-2",
      expect.stringMatching(/^health-2\+[0-9a-f]{8}$/),
    ]);
    // The cache was told: what it says now is the newest, and not what it held.
    expect((await read())?.formula).toBe(names[2]);
  }));

test("what cannot be scored is said, and leaves no row", () =>
  withFolder(async (folder) => {
    await addRepo("c", await makeRepository(join(folder, "c"), HISTORY));
    await addRepo("empty", await makeRepository(join(folder, "empty"), []));
    await addRepo("gone", folder);
    await at.db.query("UPDATE repos SET archived = true WHERE id = 'gone'");
    expect(await run({ repo_id: "c", as_of: "2026-01-04" })).toEqual({
      skipped: "the repository has no commit of 2026-01-04 or before",
    });
    expect(await run({ repo_id: "empty" })).toEqual({ skipped: "the repository has no commit" });
    expect(await run({ repo_id: "gone" })).toEqual({ skipped: "the repository is archived" });
    for (const [as_of, message] of [
      ["2026-02-30", 'found as_of "2026-02-30", which is not a day of the calendar'],
      ["2026-06-16", "found as_of 2026-06-16, which is after the day of the job, 2026-06-15"],
    ] as const)
      await expect(run({ repo_id: "c", as_of })).rejects.toMatchObject({
        ...{ kind: "data", code: "SCORE_DAY_INVALID", message },
      });
    await expect(run({ repo_id: "none" })).rejects.toMatchObject({ code: "REPO_UNKNOWN" });
    expect([...(await rowsOf("c")), ...(await rowsOf("empty"))]).toEqual([]);
  }));
