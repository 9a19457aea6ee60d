import { describe, expect, test } from "vitest";
import { listAudit } from "../../src/store/audit.js";
import { listPauses, pauseQueue, resumeQueue } from "../../src/store/pauses.js";
import { enterSafeMode, exitSafeMode, readSafeMode } from "../../src/store/safe-mode.js";
import { withDatabase } from "../support/database.js";

describe("safe mode", () => {
  test("is off at first, on with a reason, and off by a person; each change is audited once", () =>
    withDatabase(async (db) => {
      expect(await readSafeMode(db)).toEqual({
        ...{ active: false, reason: null, enteredBy: null, enteredAt: null },
      });
      expect(await enterSafeMode(db, { reason: "disk gone", by: "healdec" })).toBe(true);
      expect(await enterSafeMode(db, { reason: "other", by: "cli:bob" })).toBe(false);
      expect(await readSafeMode(db)).toMatchObject({
        ...{ active: true, reason: "disk gone", enteredBy: "healdec" },
      });
      expect(await exitSafeMode(db, { by: "cli:ann", reason: "a new disk" })).toBe(true);
      expect(await exitSafeMode(db, { by: "cli:ann", reason: "a new disk" })).toBe(false);
      expect((await readSafeMode(db)).active).toBe(false);
      expect(await listAudit(db, { limit: 10 })).toMatchObject([
        {
          ...{ actor: "cli:ann", action: "safe-mode.left" },
          details: { reason: "disk gone", left_because: "a new disk", overruled: [] },
        },
        { actor: "healdec", action: "safe-mode.entered", details: { reason: "disk gone" } },
      ]);
    }));

  test("entered by two at once is entered once", () =>
    withDatabase(async (db) => {
      const entered = await Promise.all(
        ["a", "b", "c"].map((by) => enterSafeMode(db, { reason: by, by })),
      );
      expect(entered.filter(Boolean)).toHaveLength(1);
      expect(await listAudit(db, { limit: 10 })).toHaveLength(1);
    }));
});

describe("a pause", () => {
  const pause = { kind: "index", reason: "migration", by: "cli:ann", expiresAt: null };

  test("is listed with its reason until it is resumed", () =>
    withDatabase(async (db) => {
      expect(await listPauses(db)).toEqual([]);
      await pauseQueue(db, pause);
      expect(await listPauses(db)).toMatchObject([
        { kind: "index", reason: "migration", pausedBy: "cli:ann", expiresAt: null },
      ]);
      expect(await resumeQueue(db, { kind: "index", by: "cli:bob" })).toBe(true);
      expect(await resumeQueue(db, { kind: "index", by: "cli:bob" })).toBe(false);
      expect(await listPauses(db)).toEqual([]);
      expect(await listAudit(db, { limit: 10 })).toMatchObject([
        { actor: "cli:bob", action: "queue.resumed", target: "queue:index" },
        { actor: "cli:ann", action: "queue.paused", target: "queue:index" },
      ]);
    }));

  test("is replaced by a second one, and gone when it expires", () =>
    withDatabase(async (db) => {
      await pauseQueue(db, pause);
      const expiresAt = new Date(Date.now() + 60_000);
      await pauseQueue(db, { ...pause, reason: "release", expiresAt });
      expect(await listPauses(db)).toMatchObject([{ reason: "release", expiresAt }]);
      await pauseQueue(db, { ...pause, expiresAt: new Date(Date.now() - 1) });
      expect(await listPauses(db)).toEqual([]);
      expect(await resumeQueue(db, { kind: "index", by: "cli:bob" })).toBe(false);
    }));

  test("of an internal kind is refused", () =>
    withDatabase(async (db) => {
      await expect(pauseQueue(db, { ...pause, kind: "notice" })).rejects.toMatchObject({
        ...{ kind: "refused", code: "QUEUE_NOT_PAUSABLE" },
      });
      expect(await listPauses(db)).toEqual([]);
    }));
});
