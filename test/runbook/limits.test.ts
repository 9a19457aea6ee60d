/** What ends a run from outside, and what makes it wait. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { cancelRun } from "../../src/store/run-endings.js";
import { startRun } from "../../src/store/run-leases.js";
import { readSteps } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { takeTargetLocks } from "../../src/store/target-locks.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun, workOn } from "../support/runbook-world.js";
import { until } from "../support/until.js";

/** One database for all: each run has its own. */
let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
const onGround = (work: (db: Database) => Promise<void>) => work(lent.db);

describe("limits", () => {
  const hanging = (timeoutMs: number) =>
    makeRunbook("hang", {
      timeoutMs,
      steps: [
        {
          name: "act",
          repeat: "never",
          run: async ({ signal }) => {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            throw new Error("stopped");
          },
        },
      ],
    });

  test("at its deadline a run ends, and the step's effect is called unknown", () =>
    onGround(async (db) => {
      const registry = makeRegistry(hanging(200));
      const id = await queueRun(db, registry, "hang");
      await workOn({ db, registry }, id);
      const run = (await readRun(db, id))!;
      expect(run).toMatchObject({
        status: "failed",
        outcome: expect.stringContaining("not done within 200ms"),
      });
      const steps = await readSteps(db, run.seq);
      expect(steps.at(-1)).toMatchObject({
        status: "indeterminate",
        error: "not done within 200ms",
      });
    }));

  test("a cancelled run ends within seconds, and says who did it", () =>
    onGround(async (db) => {
      const registry = makeRegistry(hanging(60_000));
      const id = await queueRun(db, registry, "hang");
      const working = workOn({ db, registry }, id);
      await until(
        async () =>
          (await readSteps(db, (await readRun(db, id))!.seq)).some((it) => it.phase === "act"),
        "the step has begun",
      );
      const request = { id, actor: "ann", reason: "wrong job" };
      expect(await db.transaction((tx) => cancelRun(tx, request))).toBe("asked");
      expect(await working).toMatchObject({ status: "cancelled" });
      expect(await readRun(db, id)).toMatchObject({
        outcome:
          'cancelled by ann: wrong job; step "act" was interrupted, and whether it took effect is unknown',
      });
      expect((await readSteps(db, (await readRun(db, id))!.seq)).at(-1)?.status).toBe(
        "indeterminate",
      );
      expect(await db.transaction((tx) => cancelRun(tx, request))).toBeNull();
    }));

  test("two runs never hold one target: the second waits and is told for whom", () =>
    onGround(async (db) => {
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const holder = makeRunbook("holder", {
        locks: () => ["queue-index"],
        steps: [{ name: "act", repeat: "safe", run: async () => held.then(() => "done") }],
      });
      const second = makeRunbook("second", { locks: () => ["job-1", "queue-index"] });
      const registry = makeRegistry(holder, second);
      const first = await queueRun(db, registry, "holder");
      const working = workOn({ db, registry }, first);
      await until(async () => (await readRun(db, first))?.status === "running", "the first runs");
      const id = await queueRun(db, registry, "second");
      await expect(workOn({ db, registry }, id)).rejects.toMatchObject({
        kind: "waiting",
        code: "TARGET_LOCKED",
        message: expect.stringMatching(
          new RegExp(`^queue-index is held by ${first} .*of ann for `),
        ),
      });
      expect(await readRun(db, id)).toMatchObject({ status: "queued" });
      release();
      await working;
      await workOn({ db, registry }, id);
      expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
      expect((await db.query("SELECT target FROM control.target_lock")).rows).toEqual([]);
    }));

  test("a run that does not wait for its target ends at once, and says who has it and how to end that", () =>
    onGround(async (db) => {
      const locks = () => ["queue-export"];
      const holder = makeRunbook("keeper", { locks });
      const impatient = { ...makeRunbook("impatient", { locks }), whenLocked: "refuse" } as const;
      const registry = makeRegistry(holder, impatient);
      const first = await queueRun(db, registry, "keeper");
      await db.transaction(async (tx) => {
        const run = (await startRun(tx, first, { targets: locks() }))!;
        await takeTargetLocks(tx, run.seq, locks());
      });
      const id = await queueRun(db, registry, "impatient");
      await workOn({ db, registry }, id);
      expect(await readRun(db, id)).toMatchObject({
        status: "failed",
        outcome: expect.stringMatching(
          new RegExp(
            `^queue-export is held by ${first} .*ann.*cancel ${first} ends that one\\): nothing was done$`,
          ),
        ),
      });
    }));
});
