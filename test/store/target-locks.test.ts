/** One database for all: each claim has targets of its own. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { finishRun } from "../../src/store/run-endings.js";
import { startRun } from "../../src/store/run-leases.js";
import { describeHolder, listLocks, takeTargetLocks } from "../../src/store/target-locks.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

const registry = makeRegistry(makeRunbook("fix"));
let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
// A run that ended holds nothing: each claim begins with all targets free.
afterEach(() => db.query("UPDATE control.run SET status = 'failed'"));

let made = 0;
async function begin() {
  made += 1;
  const id = await queueRun(db, registry, "fix", { params: { note: `n${made}` } });
  return (await startRun(db, id))!;
}
const take = (seq: number, ...targets: string[]) =>
  db.transaction((tx) => takeTargetLocks(tx, seq, targets));
const heldBy = async (seq: number) => {
  const { rows } = await db.query<{ target: string }>(
    "SELECT target FROM control.target_lock WHERE run_seq = $1 ORDER BY target",
    [seq],
  );
  return rows.map(({ target }) => target);
};

test("a held target is refused with its holder, a free one is taken", async () => {
  const [a, b] = [await begin(), await begin()];
  expect(await take(a.seq, "job-1", "queue-x")).toBeNull();
  const holder = await take(b.seq, "queue-x");
  expect(holder).toMatchObject({
    target: "queue-x",
    runId: a.id,
    runbook: "fix",
    actor: "ann",
    heldSince: expect.any(Date),
  });
  expect(holder!.leaseLeftMs).toBeGreaterThan(20_000);
  expect(holder!.leaseLeftMs).toBeLessThanOrEqual(30_000);
  expect(await take(b.seq, "queue-y")).toBeNull();
});

test("people are told who holds it, and for how long", async () => {
  const [a, b] = [await begin(), await begin()];
  await take(a.seq, "job-2");
  await db.query(
    "UPDATE control.target_lock SET taken_at = now() - interval '125 s' WHERE target = 'job-2'",
  );
  expect(describeHolder((await take(b.seq, "job-2"))!)).toBe(
    `job-2 is held by ${a.id} of ann for 2m5s (fix)`,
  );
});

test("all targets or none", async () => {
  const [a, b] = [await begin(), await begin()];
  await take(a.seq, "job-3b");
  expect(await take(b.seq, "job-3a", "job-3b", "job-3c")).toMatchObject({ target: "job-3b" });
  expect(await heldBy(b.seq)).toEqual([]);
});

test("the run that holds a target may take it again, and holds it since the first time", async () => {
  const a = await begin();
  await take(a.seq, "job-4");
  await db.query(
    "UPDATE control.target_lock SET taken_at = now() - interval '1 min' WHERE target = 'job-4'",
  );
  expect(await take(a.seq, "job-4")).toBeNull();
  const { rows } = await db.query(
    "SELECT fence, taken_at < now() - interval '50 s' AS kept FROM control.target_lock WHERE target = 'job-4'",
  );
  expect(rows).toEqual([{ fence: 2, kept: true }]);
});

test("a lease that ran out, and one of a run that ended, are free", async () => {
  const [a, b, c] = [await begin(), await begin(), await begin()];
  await take(a.seq, "job-5");
  await db.query(
    "UPDATE control.target_lock SET expires_at = now() - interval '1 s' WHERE target = 'job-5'",
  );
  expect(await take(b.seq, "job-5")).toBeNull();
  await db.query("UPDATE control.run SET status = 'failed' WHERE seq = $1", [b.seq]);
  expect(await take(c.seq, "job-5")).toBeNull();
});

test("of many that want one target in one moment, one gets it", async () => {
  const runs = [];
  for (let i = 0; i < 6; i++) runs.push(await begin());
  const answers = await Promise.all(runs.map(({ seq }) => take(seq, "job-6")));
  expect(answers.filter((holder) => holder === null)).toHaveLength(1);
});

describe("a whole and its parts", () => {
  test.each<[string, string, string, boolean]>([
    ["all queues are held with one of them", "queue-w1", "queues", true],
    ["and one of them with all", "queues", "queue-w2", true],
    ["two queues are apart", "queue-w3", "queue-w4", false],
    ["a database is held with a table of it", "table-w5", "database", true],
    ["and its sessions with it", "database", "sessions", true],
    ["sessions and tables are apart", "sessions", "table-w6", false],
    ["a backup hinders nobody", "database-backup", "database", false],
    ["a wildcard in a name is a letter", "queue_", "queue-w7", false],
    ["a per cent sign too", "queue-%", "queue-w8", false],
  ])("%s", async (_claim, held, wanted, conflict) => {
    const [a, b] = [await begin(), await begin()];
    expect(await take(a.seq, held)).toBeNull();
    const holder = await take(b.seq, wanted);
    expect(holder?.target ?? null).toBe(conflict ? held : null);
  });

  test("of two that want the whole and a part in one moment, one gets it", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = [await begin(), await begin()];
      const answers = await Promise.all([take(a.seq, "queues"), take(b.seq, "queue-w9")]);
      expect(answers.filter((holder) => holder === null)).toHaveLength(1);
      await db.query("DELETE FROM control.target_lock WHERE run_seq IN ($1, $2)", [a.seq, b.seq]);
    }
  });

  test("a run may hold both", async () => {
    const a = await begin();
    expect(await take(a.seq, "queue-w10", "queues")).toBeNull();
    expect(await take(a.seq, "queue-w10", "queues")).toBeNull();
  });
});

test("the list shows what is held, and nothing that is free", async () => {
  const [a, b] = [await begin(), await begin()];
  await take(a.seq, "list-a");
  await take(b.seq, "list-b");
  await db.query(
    "UPDATE control.target_lock SET expires_at = now() - interval '1 s' WHERE target = 'list-b'",
  );
  const shown = (await listLocks(db)).filter(({ target }) => target.startsWith("list-"));
  expect(shown).toMatchObject([{ target: "list-a", runId: a.id, actor: "ann" }]);
});

test("finishing a run frees its targets", async () => {
  const a = await begin();
  await take(a.seq, "job-8", "job-9");
  const ending = { status: "succeeded", outcome: "done", output: null } as const;
  await db.transaction((tx) => finishRun(tx, a, ending));
  expect(await heldBy(a.seq)).toEqual([]);
});

test("an executor that was overtaken does not free the targets of its successor", async () => {
  const late = await begin();
  await take(late.seq, "job-10");
  await db.query("UPDATE control.run SET fence = fence + 1 WHERE seq = $1", [late.seq]);
  const ending = { status: "succeeded", outcome: "done", output: null } as const;
  expect(await db.transaction((tx) => finishRun(tx, late, ending))).toBe(false);
  expect(await heldBy(late.seq)).toEqual(["job-10"]);
});
