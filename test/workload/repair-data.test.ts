import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { replaceClaims } from "../../src/store/claims.js";
import type { Database } from "../../src/store/database.js";
import { addIdentities } from "../../src/store/identities.js";
import { createRepairHandler } from "../../src/workload/handler/repair-data.js";
import { withDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";

const AT = new Date("2026-01-01T00:00:00Z");

async function addPeople(db: Database, ...ids: string[]): Promise<void> {
  const people = ids.map((id) => ({ id, name: id, email: `${id}@example.org` }));
  await addIdentities(
    db,
    people.map((person) => ({ ...person, kind: "human" as const })),
  );
  const seen = { commitCount: 1, firstSeenAt: AT, lastSeenAt: AT, reason: "same-mail" };
  await replaceClaims(
    db,
    "r1",
    people.map(({ id, ...person }) => ({
      identityId: id,
      kind: "author" as const,
      ...person,
      ...seen,
    })),
  );
}

async function owners(db: Database) {
  const claims = await db.query("SELECT name, identity_id FROM claims ORDER BY name");
  const identities = await db.query("SELECT id, merged_into FROM identities ORDER BY id");
  return { claims: claims.rows, identities: identities.rows };
}

function mergeJob(identity_ids: string[], target_identity_id: string) {
  return makeContext({
    seq: 5,
    payload: { repair_type: "merge_identities", identity_ids, target_identity_id },
  });
}

describe("merge_identities", () => {
  it("moves all claims to the target, and again changes nothing", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b", "c");
      const repair = createRepairHandler({ db });
      const target = { target_identity_id: "c" };
      expect(await repair.run(mergeJob(["a", "b"], "c"))).toEqual({
        merged: 2,
        merged_before: 0,
        ...target,
      });
      const before = await owners(db);
      expect(before.claims).toMatchObject(Array(3).fill({ identity_id: "c" }));
      expect(await repair.run(mergeJob(["a", "b"], "c"))).toEqual({
        merged: 0,
        merged_before: 2,
        ...target,
      });
      expect(await owners(db)).toEqual(before);
    }));

  it("that cannot be finished is partial, and its compensations bring back every row", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b", "c");
      const before = await owners(db);
      const repair = createRepairHandler({ db });
      const context = mergeJob(["a", "b", "nobody"], "c");
      await expect(repair.run(context)).rejects.toMatchObject({
        kind: "partial",
        code: "MERGE_HALF_DONE",
        message: "there is no identity nobody; the 2 before it are taken back",
      });
      expect(await owners(db)).not.toEqual(before);
      for (const { name, input } of [...context.declared].reverse())
        for (const _ of ["once", "and again after a crash"])
          await repair.compensations?.[name]?.(input, context);
      expect(await owners(db)).toEqual(before);
    }));

  it("with nothing done yet is a data fault that says which id is wrong", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b", "c");
      const repair = createRepairHandler({ db });
      const wrong: [string[], string, string][] = [
        [["nobody"], "c", "there is no identity nobody"],
        [["a"], "nobody", "there is no identity nobody to merge into"],
      ];
      for (const [ids, target, message] of wrong)
        await expect(repair.run(mergeJob(ids, target))).rejects.toMatchObject({
          kind: "data",
          message,
        });
    }));
});

describe("cleanup_orphaned_claims", () => {
  const job = (): ReturnType<typeof makeContext> =>
    makeContext({ payload: { repair_type: "cleanup_orphaned_claims" } });

  it("deletes what belongs to nobody, and keeps the rest", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a");
      await db.query(
        "INSERT INTO claims (identity_id, repo_id, email) SELECT 'gone', 'r2', n::text FROM generate_series(1, 1500) n",
      );
      await db.query("INSERT INTO identities (id, merged_into) VALUES ('old', 'a')");
      await db.query("INSERT INTO claims (identity_id, repo_id) VALUES ('old', 'r3')");
      const repair = createRepairHandler({ db });
      expect(await repair.run(job())).toEqual({ redirected: 1, deleted: 1_500 });
      expect(await repair.run(job())).toEqual({ redirected: 0, deleted: 0 });
      expect((await owners(db)).claims).toMatchObject([{ identity_id: "a" }, { identity_id: "a" }]);
    }));
});

describe("rebuild_indexes", () => {
  it("rebuilds all of ours, drops what an interrupted rebuild left, and leaves none invalid", () =>
    withDatabase(async (db) => {
      await db.query("CREATE INDEX idx_broken ON claims (kind)");
      await db.query("CREATE INDEX idx_broken_ccnew ON claims (kind)");
      // What a rebuild leaves when it is interrupted; only a superuser can make it on purpose.
      await db.query(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('idx_broken'::regclass, 'idx_broken_ccnew'::regclass)",
      );
      const repair = createRepairHandler({ db });
      const result = await repair.run(makeContext({ payload: { repair_type: "rebuild_indexes" } }));
      expect(result).toMatchObject({ leftovers_dropped: 1 });
      expect((result as JsonObject).rebuilt).toBeGreaterThan(20);
      const { rows } = await db.query(
        `SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
         WHERE NOT x.indisvalid OR c.relname ~ '_cc'`,
      );
      expect(rows).toEqual([]);
    }));
});
