import { describe, expect, test } from "vitest";
import { cancelRun, finishRun, stallAbandonedRuns } from "../../src/store/run-endings.js";
import { startRun } from "../../src/store/run-leases.js";
import { listRuns, readRun, requestRun } from "../../src/store/runs.js";
import { withDatabase } from "../support/database.js";
import { ANN, makeRegistry, makeRunbook, queueRun, submit } from "../support/runbook-world.js";

const registry = makeRegistry(makeRunbook("fix"), makeRunbook("read", { danger: "R" }));

describe("requesting", () => {
  test("run, job and audit row come together or not at all", () =>
    withDatabase(async (db) => {
      const attempt = db.transaction(async (tx) => {
        await requestRun(tx, {
          runbook: "fix",
          params: { note: "x" },
          actor: ANN,
          contentHash: "h",
          dryRun: false,
        });
        throw new Error("the caller changed its mind");
      });
      await expect(attempt).rejects.toThrow("changed its mind");
      expect(await listRuns(db, 9)).toEqual([]);
      expect(
        (await db.query("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM audit_log")).rowCount,
      ).toBe(0);
    }));

  test("ten equal requests in one moment are one run", () =>
    withDatabase(async (db) => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => submit(db, registry, "fix")),
      );
      expect(answers.filter(({ outcome }) => outcome === "queued")).toHaveLength(1);
      expect(answers.filter(({ outcome }) => outcome === "already-running")).toHaveLength(9);
      expect(await listRuns(db, 99)).toHaveLength(1);
    }));

  test("other parameters are another run, and an ended run is no twin", () =>
    withDatabase(async (db) => {
      await queueRun(db, registry, "fix", { params: { note: "a" } });
      const second = await queueRun(db, registry, "fix", { params: { note: "b" } });
      await db.query("UPDATE control.run SET status = 'failed' WHERE id = $1", [second]);
      await queueRun(db, registry, "fix", { params: { note: "b" } });
      expect(await listRuns(db, 9)).toHaveLength(3);
    }));

  test.each([
    ["an unknown runbook", "fxi", {}, "unknown-runbook"],
    ["wrong parameters", "fix", { params: { loud: true } }, "invalid-parameters"],
    ["too low a role", "fix", { actor: { ...ANN, role: "viewer" as const } }, "role-too-low"],
    [
      "a door that is shut",
      "fix",
      { actor: { ...ANN, door: "policy" as const } },
      "door-not-allowed",
    ],
  ])("with %s it is refused and audited", (_what, name, more, reason) =>
    withDatabase(async (db) => {
      expect(await submit(db, registry, name, more)).toMatchObject({ outcome: "refused", reason });
      expect(await listRuns(db, 9)).toEqual([]);
      const { rows } = await db.query("SELECT action, details->>'reason' AS reason FROM audit_log");
      expect(rows).toEqual([{ action: "run.refused", reason }]);
    }),
  );
});

describe("ending", () => {
  test("a run that nobody has begun is cancelled at once, and no executor takes it", () =>
    withDatabase(async (db) => {
      const id = await queueRun(db, registry, "fix");
      const cancel = { id, actor: "ann", reason: "no" };
      expect(await db.transaction((tx) => cancelRun(tx, cancel))).toBe("cancelled");
      expect(await readRun(db, id)).toMatchObject({
        status: "cancelled",
        outcome: "cancelled by ann: no",
      });
      expect(await startRun(db, id)).toBeNull();
      expect(await db.transaction((tx) => cancelRun(tx, cancel))).toBeNull();
    }));

  test("a run that the previous version began is cancelled its way: its executor cannot finish it", () =>
    withDatabase(async (db) => {
      const id = await queueRun(db, registry, "fix");
      const run = (await startRun(db, id))!;
      await db.query("UPDATE control.run SET lease_until = NULL");
      await db.transaction((tx) => cancelRun(tx, { id, actor: "ann", reason: "no" }));
      const ending = { status: "succeeded", outcome: "done", output: null } as const;
      expect(await db.transaction((tx) => finishRun(tx, run, ending))).toBe(false);
      expect(await readRun(db, id)).toMatchObject({ status: "cancelled" });
    }));

  test("a run whose job was given up is stalled and asks for a person", () =>
    withDatabase(async (db) => {
      const given = await queueRun(db, registry, "fix", { params: { note: "a" } });
      const alive = await queueRun(db, registry, "fix", { params: { note: "b" } });
      await startRun(db, given);
      await db.query(
        "UPDATE jobs SET status = 'failed', fence = fence + 1 WHERE payload->>'run_id' = $1",
        [given],
      );
      expect(await db.transaction(stallAbandonedRuns)).toEqual([given]);
      expect(await readRun(db, given)).toMatchObject({ status: "stalled" });
      expect(await readRun(db, alive)).toMatchObject({ status: "queued" });
    }));
});
