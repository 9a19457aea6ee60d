import { describe, expect, test } from "vitest";
import { appendAudit, listAudit, readAuditOfTarget, verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { withDatabase } from "../support/database.js";

const append = (db: Database, target: string) =>
  appendAudit(db, { actor: "cli:ann", action: "test.done", target, details: { of: target } });

async function fill(db: Database, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) await append(db, `thing-${index}`);
}

/** What somebody with the rights of a database owner could do. */
async function tamper(db: Database, statement: string): Promise<void> {
  await db.query("ALTER TABLE audit_log DISABLE TRIGGER audit_append_only");
  expect((await db.query(statement)).rowCount).toBeGreaterThan(0);
}

describe("the audit log", () => {
  test("that is empty is whole", () =>
    withDatabase(async (db) => {
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 0, brokenAt: null });
      expect(await listAudit(db, { limit: 5 })).toEqual([]);
    }));

  test("numbers its entries without gaps, also when many append at once", () =>
    withDatabase(async (db) => {
      const seqs = await Promise.all(
        Array.from({ length: 20 }, (_, index) => append(db, `thing-${index}`)),
      );
      expect(seqs.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 20, brokenAt: null });
    }));

  test("takes many entries of one transaction, and none of one that is rolled back", () =>
    withDatabase(async (db) => {
      await db.query(
        "SELECT control.audit_append('a', 'b', 'c', '{}') FROM generate_series(1, 500)",
      );
      await expect(
        db.transaction(async (tx) => {
          await appendAudit(tx, { actor: "a", action: "b", target: "c" });
          await tx.query("SELECT 1 / 0");
        }),
      ).rejects.toMatchObject({ code: "DATABASE_ERROR" });
      await fill(db, 1);
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 501, brokenAt: null });
    }));

  test("lists newest first by page and actor, and a target's oldest first", () =>
    withDatabase(async (db) => {
      await fill(db, 3);
      await appendAudit(db, { actor: "healdec", action: "test.done", target: "thing-1" });
      const list = async (filter: object) =>
        (await listAudit(db, { limit: 10, ...filter })).map(({ seq }) => seq);
      expect(await list({})).toEqual([4, 3, 2, 1]);
      expect(await list({ beforeSeq: 3 })).toEqual([2, 1]);
      expect(await list({ actor: "healdec" })).toEqual([4]);
      const entries = await readAuditOfTarget(db, "thing-1");
      expect(entries.map(({ seq, actor }) => [seq, actor])).toEqual([
        [1, "cli:ann"],
        [4, "healdec"],
      ]);
    }));

  test("refuses an update", () =>
    withDatabase(async (db) => {
      await fill(db, 1);
      await expect(db.query("UPDATE audit_log SET actor = 'nobody'")).rejects.toMatchObject({
        message: expect.stringContaining("audit_log is append only"),
      });
    }));
});

describe("verifying finds", () => {
  test.each([
    ["a changed field", "UPDATE audit_log SET actor = 'nobody' WHERE seq = 3", 3],
    ["a changed detail", `UPDATE audit_log SET details = '{"of": "x"}' WHERE seq = 5`, 5],
    ["a missing entry", "DELETE FROM audit_log WHERE seq = 2", 2],
    ["a missing beginning", "DELETE FROM audit_log WHERE seq = 1", 1],
    ["a cut-off end", "DELETE FROM audit_log WHERE seq >= 4", 4],
    ["an empty log that was not empty", "DELETE FROM audit_log", 1],
    [
      "an entry rewritten together with its own hash",
      `UPDATE audit_log SET actor = 'nobody', hash = control.audit_hash(prev_hash, seq, created_at, 'nobody', action, target, details) WHERE seq = 2`,
      3,
    ],
    [
      "the last entry rewritten together with its own hash",
      `UPDATE audit_log SET actor = 'nobody', hash = control.audit_hash(prev_hash, seq, created_at, 'nobody', action, target, details) WHERE seq = 5`,
      5,
    ],
  ])("%s", (_what, statement, brokenAt) =>
    withDatabase(async (db) => {
      await fill(db, 5);
      await tamper(db, statement);
      expect(await verifyAudit(db)).toMatchObject({ ok: false, brokenAt });
    }),
  );

  test("a cut-off end also after newer entries were appended", () =>
    withDatabase(async (db) => {
      await fill(db, 5);
      await tamper(db, "DELETE FROM audit_log WHERE seq >= 4");
      expect(await append(db, "later")).toBe(6);
      expect(await verifyAudit(db)).toMatchObject({ ok: false, brokenAt: 4 });
    }));

  test("nothing wrong where retention has taken the oldest and says so", () =>
    withDatabase(async (db) => {
      await fill(db, 5);
      await tamper(db, "DELETE FROM audit_log WHERE seq <= 2");
      await db.query("UPDATE control.audit_head SET kept_from = 3");
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 3, brokenAt: null });
    }));
});
