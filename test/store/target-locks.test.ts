import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { finishRun, startRun } from "../../src/store/runs.js";
import { beatRun, takeTargetLocks } from "../../src/store/target-locks.js";
import { withDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

const registry = makeRegistry(makeRunbook("fix"));

async function begin(db: Database, note: string) {
  const id = await queueRun(db, registry, "fix", { params: { note } });
  return (await startRun(db, id))!;
}
const take = (db: Database, seq: number, ...targets: string[]) =>
  db.transaction((tx) => takeTargetLocks(tx, seq, targets));

test("a held target is refused with its holder, a free one is taken", () =>
  withDatabase(async (db) => {
    const [a, b] = [await begin(db, "a"), await begin(db, "b")];
    expect(await take(db, a.seq, "job-1", "queue-x")).toBeNull();
    expect(await take(db, b.seq, "queue-x")).toMatchObject({
      target: "queue-x",
      runId: a.id,
      actor: "ann",
    });
    expect(await take(db, b.seq, "queue-y")).toBeNull();
  }));

test("the run that holds a target may take it again, as a resumed one does", () =>
  withDatabase(async (db) => {
    const a = await begin(db, "a");
    await take(db, a.seq, "job-1");
    expect(await take(db, a.seq, "job-1")).toBeNull();
    const { rows } = await db.query("SELECT fence FROM control.target_lock");
    expect(rows).toEqual([{ fence: 2 }]);
  }));

test("a lease that ran out, and one of a run that ended, are free", () =>
  withDatabase(async (db) => {
    const [a, b, c] = [await begin(db, "a"), await begin(db, "b"), await begin(db, "c")];
    await take(db, a.seq, "job-1");
    await db.query("UPDATE control.target_lock SET expires_at = now() - interval '1 second'");
    expect(await take(db, b.seq, "job-1")).toBeNull();
    await db.query("UPDATE control.run SET status = 'failed' WHERE seq = $1", [b.seq]);
    expect(await take(db, c.seq, "job-1")).toBeNull();
  }));

test("of many that want one target in one moment, one gets it", () =>
  withDatabase(async (db) => {
    const runs = [];
    for (let i = 0; i < 6; i++) runs.push(await begin(db, `n${i}`));
    const answers = await Promise.all(runs.map(({ seq }) => take(db, seq, "job-1")));
    expect(answers.filter((holder) => holder === null)).toHaveLength(1);
  }));

test("a beat keeps the leases, and tells of cancellation and loss", () =>
  withDatabase(async (db) => {
    const a = await begin(db, "a");
    await take(db, a.seq, "job-1");
    expect(await beatRun(db, a, 1)).toBe("alive");
    await db.query("DELETE FROM control.target_lock");
    expect(await beatRun(db, a, 1)).toBe("lost");
    await db.query("UPDATE control.run SET status = 'cancelled'");
    expect(await beatRun(db, a, 1)).toBe("cancelled");
    expect(await beatRun(db, { ...a, fence: a.fence - 1 }, 1)).toBe("lost");
  }));

test("finishing a run frees its targets", () =>
  withDatabase(async (db) => {
    const a = await begin(db, "a");
    await take(db, a.seq, "job-1", "job-2");
    const ending = { status: "succeeded", outcome: "done", output: null } as const;
    await db.transaction((tx) => finishRun(tx, a, ending));
    expect((await db.query("SELECT 1 FROM control.target_lock")).rowCount).toBe(0);
  }));

test("an executor that was overtaken does not free the targets of its successor", () =>
  withDatabase(async (db) => {
    const late = await begin(db, "a");
    await take(db, late.seq, "job-1");
    await startRun(db, late.id);
    const ending = { status: "succeeded", outcome: "done", output: null } as const;
    expect(await db.transaction((tx) => finishRun(tx, late, ending))).toBe(false);
    expect((await db.query("SELECT 1 FROM control.target_lock")).rowCount).toBe(1);
  }));
