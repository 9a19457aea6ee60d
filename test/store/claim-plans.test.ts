/** The two forms of the claim: planned once for short queues, planned anew for long ones. They find the same jobs. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { pauseQueue, resumeQueue } from "../../src/store/pauses.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

let lent: TestDatabase;
/** One session: what the server has prepared is the session's. */
let session: Database;

beforeAll(async () => {
  lent = await createTestDatabase();
  session = openDatabase({ url: lent.url, poolMax: 1, applicationName: "test", ssl: false });
});
afterAll(async () => {
  await session.close();
  await lent.drop();
});
beforeEach(() => lent.db.query("DELETE FROM jobs"));

const MINUTE_MS = 60_000;
const FORMS = [
  { name: "claim-few", isBacklog: false },
  { name: "claim-from-backlog", isBacklog: true },
];

function claim(isBacklog: boolean) {
  return claimJobs(session, {
    ...{ workerId: "general-worker-1", max: 3, isBacklog },
    kinds: [
      { kind: "index", free: 4 },
      { kind: "score", free: 2 },
    ],
  });
}

test("a short queue is looked through by one plan, a long one by a plan of its own each time", async () => {
  for (const { isBacklog } of FORMS) for (let i = 0; i < 8; i++) await claim(isBacklog);
  const { rows } = await session.query<{ name: string; once: number; anew: number }>(
    `SELECT name, generic_plans::int AS once, custom_plans::int AS anew
     FROM pg_prepared_statements WHERE name LIKE 'claim-%' ORDER BY name`,
  );
  expect(rows).toEqual([
    { name: "claim-few", once: 3, anew: 5 },
    { name: "claim-from-backlog", once: 0, anew: 8 },
  ]);
});

test.each(FORMS)("$name takes the same jobs in the same order", async ({ isBacklog }) => {
  const due = (minutes: number) => new Date(Date.now() - minutes * MINUTE_MS);
  await enqueueJobs(lent.db, [
    { kind: "index", payload: { at: 4 }, scheduledAt: due(1) },
    { kind: "score", payload: { at: 2 }, scheduledAt: due(9) },
    { kind: "index", payload: { at: 1 }, scheduledAt: due(5), priority: 7 },
    { kind: "index", payload: { at: 3 }, scheduledAt: due(6) },
    { kind: "index", payload: { at: 9 }, scheduledAt: due(-5) },
  ]);
  const found = [await claim(isBacklog), await claim(isBacklog), await claim(isBacklog)];
  expect(found.map((jobs) => jobs.map(({ payload }) => payload.at))).toEqual([[1, 2, 3], [4], []]);
});

test.each(FORMS)("$name passes over a kind that is paused", async ({ isBacklog }) => {
  await enqueueJobs(lent.db, [
    { kind: "index", payload: {} },
    { kind: "score", payload: {} },
  ]);
  await pauseQueue(lent.db, { kind: "index", reason: "a test", by: "ann", expiresAt: null });
  expect((await claim(isBacklog)).map(({ kind }) => kind)).toEqual(["score"]);
  await resumeQueue(lent.db, { kind: "index", by: "ann" });
  expect((await claim(isBacklog)).map(({ kind }) => kind)).toEqual(["index"]);
});
