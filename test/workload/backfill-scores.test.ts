/** A backfill of scores: which children it asks for, when, and that nothing is asked twice whatever breaks off. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import type { WorkloadPolicy } from "../../src/policy/workload.js";
import { readBackfill } from "../../src/store/backfills.js";
import type { Database } from "../../src/store/database.js";
import { createBackfillHandler } from "../../src/workload/handler/backfill.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";

const FEW: WorkloadPolicy = {
  ...WORKLOAD_DEFAULTS,
  backfill: { openMax: 4, liveOlderThanMs: 30_000 },
};

let lent: TestDatabase;
let db: Database;

beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
beforeEach(async () => {
  await db.query("TRUNCATE jobs, repos, claims, scores, control.backfill, control.repo_source");
  await addRepos();
});

const handlerFor = (policy: WorkloadPolicy) =>
  createBackfillHandler({ db, policy: () => policy, source: null });
const run = (payload: JsonObject, { seq = 40, policy = FEW } = {}) =>
  handlerFor(policy).run(makeContext({ kind: "backfill", payload, seq }));

const days = (start_date: string, end_date: string, more: JsonObject = {}) => ({
  ...{ entity: "scores", start_date, end_date },
  ...more,
});

/** Repositories `a` since 3 January, `b` since long ago, `c` of unknown age; `d` is archived, `e` is nowhere, `f` a fork. */
async function addRepos(): Promise<void> {
  await db.query(
    `INSERT INTO repos (id, name, location, archived) VALUES
       ('a', 'a', '/srv/a', false), ('b', 'b', '/srv/b', false), ('c', 'c', NULL, false),
       ('d', 'd', '/srv/d', true), ('e', 'e', NULL, false), ('f', 'f', NULL, false)`,
  );
  await db.query(
    `INSERT INTO control.repo_source (repo_id, host, github_id, owner, name, clone_url, is_private, is_fork, is_archived, seen_at)
     SELECT id, 'github.com', ascii(id), 'acme', id, 'https://github.com/acme/' || id, false, id = 'f', false, now()
     FROM unnest(ARRAY['c', 'f']) id`,
  );
  await db.query(
    `INSERT INTO claims (repo_id, identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at)
     VALUES ('a', 'p', 'author', 'Ada', 'ada@example.org', 1, '2026-01-03T12:00:00Z', '2026-01-03T12:00:00Z'),
            ('b', 'p', 'author', 'Ada', 'ada@example.org', 1, '2025-06-01T12:00:00Z', '2025-06-01T12:00:00Z')`,
  );
}

async function children(parent = 40): Promise<string[]> {
  const { rows } = await db.query<{ asked: string }>(
    `SELECT concat_ws(' ', job_type, payload ->> 'repo_id', payload ->> 'as_of', priority) AS asked
     FROM jobs WHERE parent_seq = $1 ORDER BY seq`,
    [parent],
  );
  return rows.map(({ asked }) => asked);
}

const end = (status = "completed") =>
  db.query("UPDATE jobs SET status = $1, completed_at = now() WHERE status = 'pending'", [status]);

const OPEN = { kind: "waiting", code: "BACKFILL_OPEN", retryAfterMs: 5_000 };
const RANGE = days("2026-01-01", "2026-01-04");
const ALL = [
  ...["a 2026-01-03", "a 2026-01-04"],
  ...["01", "02", "03", "04"].map((day) => `b 2026-01-${day}`),
  ...["01", "02", "03", "04"].map((day) => `c 2026-01-${day}`),
].map((at) => `score ${at} 1`);

describe("a backfill of scores", () => {
  it("asks for each repository and day since its first commit, few at a time, until all have ended (HB-wrk-11)", async () => {
    await expect(run(RANGE)).rejects.toMatchObject(OPEN);
    expect(await children()).toEqual(ALL.slice(0, 4));
    await expect(run(RANGE)).rejects.toMatchObject(OPEN);
    expect(await children()).toHaveLength(4);
    await end();
    await expect(run(RANGE)).rejects.toMatchObject(OPEN);
    await end("failed");
    await expect(run(RANGE)).rejects.toMatchObject(OPEN);
    expect(await children()).toEqual(ALL);
    expect(await readBackfill(db, 40)).toMatchObject({
      planned: 10,
      enqueued: 10,
      finishedAt: null,
    });
    await end();
    expect(await run(RANGE)).toEqual({
      ...{ planned: 10, enqueued: 10, completed: 6, failed: 4, cancelled: 0, quarantined: 0 },
    });
    expect((await readBackfill(db, 40))?.finishedAt).toBeInstanceOf(Date);
  });

  it("leaves out what has a score by the formula in force, and asks for it under another one", async () => {
    await db.query(
      `INSERT INTO scores (repo_id, score, formula, commit, parts)
         SELECT 'a', 1, 'health-2', 'x', jsonb_build_object('asOf', day)
         FROM unnest(ARRAY['2026-01-01', '2026-01-03', '2026-01-04']) day`,
    );
    const only = days("2026-01-01", "2026-01-04", { repo_ids: ["a"] });
    expect(await run(only)).toMatchObject({ planned: 0, enqueued: 0 });
    const weights = { activity: 0.2, busFactor: 0.2, freshness: 0.2, release: 0.2, review: 0.2 };
    const other = { ...FEW, scoring: { formula: "health-2", weights } } as const;
    await expect(run(only, { seq: 41, policy: other })).rejects.toMatchObject(OPEN);
    expect(await children(41)).toEqual(ALL.slice(0, 2));
  });

  it("asks for nothing twice and leaves nothing out when it breaks off between batches, and when two run it at once", async () => {
    const wide = { ...FEW, backfill: { ...FEW.backfill, openMax: 3 } };
    for (let visit = 0; visit < 6; visit += 1) {
      // A second process that took the job for dead does the same at the same time.
      await Promise.allSettled([run(RANGE, { policy: wide }), run(RANGE, { policy: wide })]);
      await end();
    }
    expect(await children()).toEqual(ALL);
    expect(await readBackfill(db, 40)).toMatchObject({ enqueued: 10 });
  });

  it("asks for nothing while a live score waits, and goes on when it has been taken", async () => {
    await db.query(
      `INSERT INTO jobs (job_type, payload, scheduled_at) VALUES ('score', '{"repo_id":"a"}', now() - interval '1 minute')`,
    );
    const held = run(RANGE);
    await expect(held).rejects.toMatchObject({
      ...OPEN,
      message: expect.stringContaining("0 of 10 children have ended: gives way to a live job"),
    });
    expect(await children()).toEqual([]);
    await end();
    await expect(run(RANGE)).rejects.toMatchObject(OPEN);
    expect(await children()).toHaveLength(4);
  });

  it("says how far it came", async () => {
    const context = makeContext({ kind: "backfill", payload: RANGE, seq: 40 });
    const handler = handlerFor(FEW);
    await expect(handler.run(context)).rejects.toMatchObject(OPEN);
    await end();
    await expect(handler.run(context)).rejects.toMatchObject(OPEN);
    expect(context.reached.at(-1)).toEqual({ fraction: 0.4, note: "4 of 10 ended, 4 open" });
  });

  it("refuses a range that is none, and repositories that nobody has indexed", async () => {
    const REFUSED = [
      [days("2026-02-30", "2026-03-01"), 'found "2026-02-30", which is not a day of the calendar'],
      [days("2026-02-02", "2026-02-01"), "found start_date 2026-02-02 after end_date 2026-02-01"],
      [
        days("2026-02-02", "2099-01-01"),
        "found end_date 2099-01-01, which is after today, 2026-06-15 (UTC)",
      ],
      [
        days("1026-01-01", "2026-01-01"),
        "found 365244 days, expected 3660 at most: ask in shorter parts",
      ],
      [
        days("2026-01-01", "2026-01-01", { repo_ids: ["none", "nil"] }),
        "no repository has the id nil, none",
      ],
    ] as const;
    for (const [payload, message] of REFUSED)
      await expect(run(payload)).rejects.toMatchObject({ kind: "data", message });
  });
});
