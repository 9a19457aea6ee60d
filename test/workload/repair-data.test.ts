import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { replaceClaims } from "../../src/store/claims.js";
import type { Database } from "../../src/store/database.js";
import { addIdentities } from "../../src/store/identities.js";
import { createRepairHandler } from "../../src/workload/handler/repair-data.js";
import type { RepairPayload } from "../../src/workload/payloads.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";

const AT = new Date("2026-01-01T00:00:00Z");

let at: TestDatabase;
let db: Database;
beforeAll(async () => {
  at = await createTestDatabase();
  db = at.db;
});
beforeEach(() =>
  db.query("TRUNCATE claims, identities, control.identity_merge, control.repair_record"),
);
afterAll(() => at.drop());

async function addPeople(...ids: string[]): Promise<void> {
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

/** Every row of the two tables but the times at which it changed. */
async function everything() {
  const claims = await db.query("SELECT * FROM claims ORDER BY id");
  const identities = await db.query(
    "SELECT id, name, email, kind, merged_into FROM identities ORDER BY id",
  );
  return { claims: claims.rows, identities: identities.rows };
}

function job(payload: RepairPayload, seq = 5) {
  return makeContext({ seq, payload: { ...payload } as unknown as JsonObject });
}

function repair(payload: RepairPayload, seq = 5) {
  return createRepairHandler({ db }).run(job(payload, seq));
}

function mergeOf(identity_ids: string[], target_identity_id: string) {
  return { repair_type: "merge_identities" as const, identity_ids, target_identity_id };
}

describe("merge_identities", () => {
  it("moves all claims to the target, and again changes nothing", async () => {
    await addPeople("a", "b", "c");
    const counts = { claims_moved: 2, target_identity_id: "c" };
    expect(await repair(mergeOf(["a", "b"], "c"))).toEqual({
      ...{ merged: 2, merged_before: 0 },
      ...counts,
    });
    const before = await everything();
    expect(before.claims).toMatchObject(Array(3).fill({ identity_id: "c" }));
    expect(await repair(mergeOf(["a", "b"], "c"))).toEqual({
      ...{ merged: 0, merged_before: 2 },
      ...counts,
    });
    expect(await everything()).toEqual(before);
  });

  it("previewed says what the real one then does, and changes nothing", async () => {
    await addPeople("a", "b", "c");
    const before = await everything();
    const preview = await repair({ ...mergeOf(["a", "b"], "c"), dry_run: true });
    expect(await everything()).toEqual(before);
    expect((await db.query("SELECT FROM control.identity_merge")).rows).toEqual([]);
    expect(preview).toEqual({
      dry_run: true,
      ...((await repair(mergeOf(["a", "b"], "c"))) as object),
    });
  });

  it("that cannot be finished is partial, and its compensations bring back every row", async () => {
    await addPeople("a", "b", "c");
    const before = await everything();
    const handler = createRepairHandler({ db });
    const context = job(mergeOf(["a", "b", "nobody"], "c"));
    await expect(handler.run(context)).rejects.toMatchObject({
      kind: "partial",
      code: "MERGE_HALF_DONE",
      message: "there is no identity nobody; the 2 before it are taken back",
    });
    expect(await everything()).not.toEqual(before);
    for (const { name, input } of [...context.declared].reverse())
      for (const _ of ["once", "and again after a crash"])
        await handler.compensations?.[name]?.(input, context);
    expect(await everything()).toEqual(before);
  });

  it.each<[string[], string, string]>([
    [["nobody"], "c", "there is no identity nobody"],
    [["a"], "nobody", "there is no identity nobody to merge into"],
    [["a"], "person-forgotten", "person-forgotten stands for people who were forgotten"],
    [["person-forgotten"], "a", "person-forgotten stands for people who were forgotten"],
  ])("of %j into %s is a data fault that says why, previewed or not", async (ids, target, why) => {
    await addPeople("a", "b", "c");
    await addIdentities(db, [{ id: "person-forgotten", name: "", email: "", kind: "human" }]);
    for (const dry_run of [true, false])
      await expect(repair({ ...mergeOf(ids, target), dry_run })).rejects.toMatchObject({
        kind: "data",
        message: expect.stringContaining(why),
      });
  });
});

describe("undo_merge", () => {
  const undo = (merge_ids: number[], dry_run = false) =>
    repair({ repair_type: "undo_merge", merge_ids, dry_run }, 6);

  async function mergeIds(): Promise<number[]> {
    const { rows } = await db.query<{ id: number }>(
      "SELECT id FROM control.identity_merge ORDER BY id",
    );
    return rows.map(({ id }) => id);
  }

  it("brings every row back as it was, says so before, and again changes nothing", async () => {
    await addPeople("a", "b", "c");
    const before = await everything();
    await repair(mergeOf(["a", "b"], "c"));
    const merged = await everything();
    const ids = await mergeIds();
    const counts = { undone: 2, undone_before: 0, claims_back: 2 };
    expect(await undo(ids, true)).toEqual({ dry_run: true, ...counts });
    expect(await everything()).toEqual(merged);
    expect(await undo(ids)).toEqual(counts);
    expect(await everything()).toEqual(before);
    expect(await undo(ids)).toEqual({ undone: 0, undone_before: 2, claims_back: 0 });
    expect(await everything()).toEqual(before);
  });

  it("of a merge that never was is a data fault, and the others stay merged", async () => {
    await addPeople("a", "b");
    await repair(mergeOf(["a"], "b"));
    const merged = await everything();
    for (const unknown of [999_999, 1e30])
      await expect(undo([...(await mergeIds()), unknown])).rejects.toMatchObject({
        kind: "data",
        code: "UNDO_IMPOSSIBLE",
      });
    expect(await everything()).toEqual(merged);
  });
});

describe("cleanup_orphaned_claims", () => {
  const cleanUp = (dry_run = false) =>
    repair({ repair_type: "cleanup_orphaned_claims", dry_run }, 7);

  beforeEach(async () => {
    await addPeople("a");
    await db.query(
      "INSERT INTO claims (identity_id, repo_id, email) SELECT 'gone', 'r2', n::text FROM generate_series(1, 1500) n",
    );
    await db.query(
      "INSERT INTO identities (id, merged_into) VALUES ('old', 'a'), ('lost', 'gone')",
    );
    await db.query(
      "INSERT INTO claims (identity_id, repo_id) VALUES ('old', 'r3'), ('lost', 'r4')",
    );
  });

  it("deletes what belongs to nobody, keeps the rest, and says the same numbers before", async () => {
    const before = await everything();
    const counts = { redirected: 1, deleted: 1_501 };
    expect(await cleanUp(true)).toEqual({ dry_run: true, ...counts });
    expect(await everything()).toEqual(before);
    expect(await cleanUp()).toEqual(counts);
    expect(await cleanUp()).toEqual({ redirected: 0, deleted: 0 });
    expect((await everything()).claims).toMatchObject([{ identity_id: "a" }, { identity_id: "a" }]);
  });

  it("ends on identities that were merged in a circle by hand", async () => {
    await db.query("INSERT INTO identities (id, merged_into) VALUES ('x', 'y'), ('y', 'x')");
    await db.query("INSERT INTO claims (identity_id, repo_id) VALUES ('x', 'r5'), ('y', 'r6')");
    expect(await cleanUp()).toEqual({ redirected: 3, deleted: 1_501 });
  });

  it("is taken back row by row, once, whatever was written meanwhile", async () => {
    const before = await allClaims();
    await cleanUp();
    await db.query("INSERT INTO claims (identity_id, repo_id, email) VALUES ('a', 'r2', '1')");
    const restore = (dry_run = false) =>
      repair({ repair_type: "restore_claims", job: "job-7", dry_run }, 8);
    expect(await restore(true)).toEqual({ dry_run: true, restored: 1_500, restored_before: 0 });
    expect(await restore()).toEqual({ restored: 1_500, restored_before: 0 });
    // The claim of a merged identity stays with whom it went to, and what was written anew stays as it is.
    const kept = before.filter(({ email, repo_id }) => !(repo_id === "r2" && email === "1"));
    const redirected = kept.map((claim) =>
      claim.identity_id === "old" ? { ...claim, identity_id: "a" } : claim,
    );
    const after = await allClaims();
    expect(
      after.filter(({ identity_id, email }) => !(identity_id === "a" && email === "1")),
    ).toEqual(redirected);
    expect(after).toHaveLength(before.length);
    expect(await restore()).toEqual({ restored: 0, restored_before: 1_501 });
  });

  async function allClaims() {
    type Row = { identity_id: string; repo_id: string; email: string | null };
    return (await db.query<Row>("SELECT * FROM claims ORDER BY id")).rows;
  }

  it.each(["job-404", `job-${"9".repeat(40)}`])(
    "that took nothing away has nothing to give back: %s",
    async (name) => {
      await expect(repair({ repair_type: "restore_claims", job: name })).rejects.toMatchObject({
        kind: "data",
        code: "RESTORE_IMPOSSIBLE",
      });
    },
  );
});

describe("rebuild_indexes", () => {
  // What a rebuild leaves when it is interrupted; only a superuser can make it on purpose.
  beforeEach(() =>
    db.query(
      `CREATE INDEX IF NOT EXISTS idx_broken ON claims (kind);
       CREATE INDEX IF NOT EXISTS idx_broken_ccnew ON claims (kind);
       UPDATE pg_index SET indisvalid = false
       WHERE indexrelid IN ('idx_broken'::regclass, 'idx_broken_ccnew'::regclass)`,
    ),
  );
  const rebuild = (more: { dry_run?: boolean; only_invalid?: boolean }) =>
    repair({ repair_type: "rebuild_indexes", ...more });

  async function invalid() {
    const { rows } = await db.query(
      `SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
       WHERE NOT x.indisvalid OR c.relname ~ '_cc'`,
    );
    return rows;
  }

  it("can rebuild the invalid alone, and says before what it will do", async () => {
    const counts = { rebuilt: 1, leftovers_dropped: 1 };
    expect(await rebuild({ only_invalid: true, dry_run: true })).toEqual({
      dry_run: true,
      ...counts,
    });
    expect(await invalid()).toHaveLength(2);
    expect(await rebuild({ only_invalid: true })).toEqual(counts);
    expect(await invalid()).toEqual([]);
  });

  it("rebuilds all of ours, drops what an interrupted rebuild left, and leaves none invalid", async () => {
    const preview = (await rebuild({ dry_run: true })) as JsonObject;
    const result = (await rebuild({})) as JsonObject;
    expect({ dry_run: true, ...result }).toEqual(preview);
    expect(result).toMatchObject({ leftovers_dropped: 1 });
    expect(result.rebuilt).toBeGreaterThan(20);
    expect(await invalid()).toEqual([]);
  });
});
