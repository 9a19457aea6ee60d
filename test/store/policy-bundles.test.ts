import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Envelope } from "../../src/policy/envelope-types.js";
import { listAudit, readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { publishPolicy } from "../../src/store/policies.js";
import {
  type BundleStatus,
  insertBundle,
  listBundles,
  newestBundleRevision,
  readBundle,
  readNewestBundle,
  readStoredEnvelope,
  releaseBundle,
  setBundleStatus,
} from "../../src/store/policy-bundles.js";
import { notePolicyProcess } from "../../src/store/policy-processes.js";
import { readPolicyState, recordRefusal } from "../../src/store/policy-state.js";
import { readPolicySummary } from "../../src/store/policy-summary.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

/** One for all of them: its tables are emptied after each. */
let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterEach(() =>
  lent.db.query(
    "TRUNCATE control.policy_bundle, control.policy_refusal, control.policy_revision, control.policy_process",
  ),
);
afterAll(() => lent.drop());

const withDatabase = (test: (db: Database) => Promise<void>) => test(lent.db);

/** Whether it is believed is not this room's question. */
const envelope = (revision: number, content = "same"): Envelope => ({
  bundle: {
    ...{ format: 1, system: "algobrain", environment: "local" },
    ...{ sections: { content }, requires: { schema: 2, runbooks: {} }, previewed: {} },
  },
  ...{ digest: `digest of ${content}`, commit: null, revision },
  createdAt: "2030-01-01T00:00:00.000Z",
  signature: { algorithm: "Ed25519", keyId: "01234567", value: "x" },
});

const publish = (db: Database, revision: number, content?: string) =>
  db.transaction((tx) =>
    insertBundle(tx, { envelope: envelope(revision, content), source: "folder" }),
  );
const actionsOn = async (db: Database, revision: number) =>
  (await readAuditOfTarget(db, `policy:${revision}`)).map(({ action }) => action);
const move = (db: Database, revision: number, from: BundleStatus, to: BundleStatus) =>
  db.transaction((tx) => setBundleStatus(tx, revision, from, to));

describe("a bundle", () => {
  test("is stored once, and only on top of those that are there", () =>
    withDatabase(async (db) => {
      expect([await newestBundleRevision(db), await readNewestBundle(db)]).toEqual([0, null]);
      expect(await publish(db, 5)).toBe("stored");
      expect(await publish(db, 5)).toBe("known");
      expect(await publish(db, 5, "other")).toBe("not-newer");
      expect(await publish(db, 4)).toBe("not-newer");
      expect(await newestBundleRevision(db)).toBe(5);
      expect(await readStoredEnvelope(db, 5)).toEqual(envelope(5));
      expect(await readBundle(db, 5)).toMatchObject({
        ...{ revision: 5, digest: "digest of same", commit: null, schemaVersion: 2 },
        ...{ source: "folder", status: "published", reason: null, findings: [], inForce: null },
      });
      expect(await readBundle(db, 4)).toBeNull();
      expect(await actionsOn(db, 5)).toEqual(["policy.published"]);
    }));

  test("of many stored at once none is older than one before it", () =>
    withDatabase(async (db) => {
      await Promise.all([3, 1, 4, 2, 6, 5].map((revision) => publish(db, revision)));
      const byTime = await db.query<{ revision: number }>(
        "SELECT revision FROM control.policy_bundle ORDER BY id",
      );
      const stored = byTime.rows.map(({ revision }) => revision);
      expect(stored).toEqual([...stored].sort((a, b) => a - b));
      expect(stored.at(-1)).toBe(6);
    }));

  test("takes the undecided ones before it out of the way, and those alone", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      await move(db, 1, "published", "canary");
      await move(db, 1, "canary", "adopted");
      await publish(db, 2);
      await move(db, 2, "published", "held");
      await publish(db, 3);
      const statuses = (await listBundles(db, { limit: 10 })).map(({ status }) => status);
      expect(statuses).toEqual(["published", "superseded", "adopted"]);
      expect(await readBundle(db, 2)).toMatchObject({ reason: "revision 3 came after it" });
      const held = await listBundles(db, { limit: 10, statuses: ["adopted", "held"] });
      expect(held.map(({ revision }) => revision)).toEqual([1]);
    }));

  test("that was refused leaves room for the next, and its number is spent all the same", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      await publish(db, 2);
      await move(db, 2, "published", "refused");
      expect(await newestBundleRevision(db)).toBe(1);
      expect(await readNewestBundle(db)).toMatchObject({ revision: 1, status: "superseded" });
      expect(await publish(db, 2)).toBe("known");
      expect(await publish(db, 2, "other")).toBe("not-newer");
      expect(await publish(db, 3)).toBe("stored");
    }));

  test("of an older revision is refused by the database itself, too", () =>
    withDatabase(async (db) => {
      await publish(db, 5);
      const past = db.query(
        `INSERT INTO control.policy_bundle (revision, digest, schema_version, envelope, source)
         VALUES (4, 'd', 1, '{}', 'sql')`,
      );
      await expect(past).rejects.toThrow("policy bundle 4 is not newer");
    }));
});

describe("its decisions", () => {
  test("are made by one of two leaders, and stand in the audit", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      const why = { reason: "pages newly", findings: [{ subject: "AR-02" }] };
      const hold = () => db.transaction((tx) => setBundleStatus(tx, 1, "published", "held", why));
      expect((await Promise.all([hold(), hold()])).sort()).toEqual([false, true]);
      expect(await readBundle(db, 1)).toMatchObject({ status: "held", ...why });
      expect((await actionsOn(db, 1)).slice(-2)).toEqual(["policy.published", "policy.held"]);
    }));

  test("adopting one supersedes the one before", () =>
    withDatabase(async (db) => {
      for (const revision of [1, 2]) {
        await publish(db, revision);
        await move(db, revision, "published", "canary");
        await db.transaction((tx) =>
          setBundleStatus(tx, revision, "canary", "adopted", { inForce: revision + 10 }),
        );
      }
      expect(await readBundle(db, 1)).toMatchObject({ status: "superseded", inForce: 11 });
      expect(await readBundle(db, 2)).toMatchObject({ status: "adopted", inForce: 12 });
    }));

  test("a held one is released by a person, who says why, and only once", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      const release = () =>
        db.transaction((tx) => releaseBundle(tx, 1, "cli:ann", "it is meant so"));
      expect(await release()).toMatchObject({
        outcome: "not-held",
        bundle: { status: "published" },
      });
      const why = { reason: "pages newly" };
      await db.transaction((tx) => setBundleStatus(tx, 1, "published", "held", why));
      expect(await release()).toMatchObject({
        outcome: "released",
        bundle: {
          status: "canary",
          releasedBy: "cli:ann",
          releaseReason: "it is meant so",
          ...why,
        },
      });
      expect(await release()).toMatchObject({ outcome: "not-held" });
      const none = await db.transaction((tx) => releaseBundle(tx, 9, "cli:ann", "so"));
      expect(none).toEqual({ outcome: "not-found" });
      expect((await listAudit(db, { limit: 1 }))[0]).toMatchObject({
        ...{ actor: "cli:ann", action: "policy.released", target: "policy:1" },
        details: { reason: "it is meant so", held_because: "pages newly" },
      });
    }));
});

describe("what is not believed", () => {
  const found = {
    ...{ source: "s3://b/k", refusal: "signature-invalid" as const, sentence: "changed" },
    ...{ revision: 2 ** 60, digest: null },
  };

  test("is told once an object, whatever it says of itself", () =>
    withDatabase(async (db) => {
      const record = (tag: string) => db.transaction((tx) => recordRefusal(tx, { ...found, tag }));
      expect([await record("1"), await record("1"), await record("2")]).toEqual([
        true,
        false,
        true,
      ]);
      const { refused } = await readPolicyState(db);
      expect(refused).toHaveLength(2);
      expect(refused[0]).toMatchObject({ refusal: "signature-invalid", revision: null });
      const actions = (await listAudit(db, { limit: 2 })).map(({ action }) => action);
      expect(actions).toEqual(["policy.refused", "policy.refused"]);
    }));

  test("is a failure in short, too, until something newer is in force", () =>
    withDatabase(async (db) => {
      const failed = async () => (await readPolicySummary(db))?.failed;
      const record = (tag: string, revision: number) =>
        db.transaction((tx) => recordRefusal(tx, { ...found, tag, revision }));
      await record("before", 9);
      await publishPolicy(db, { digest: "a", bundle: {}, source: "policies" });
      expect(await failed()).toBeNull();
      await record("without a number", 2 ** 60);
      expect(await failed()).toBe(0);
      await record("with one", 7);
      expect(await failed()).toBe(7);
      await publish(db, 8);
      await move(db, 8, "published", "refused");
      expect(await failed()).toBe(8);
      await publishPolicy(db, { digest: "b", bundle: {}, source: "policies" });
      expect(await failed()).toBeNull();
    }));
});

describe("the state of the policy", () => {
  test("is empty before the first start", () =>
    withDatabase(async (db) => {
      expect(await readPolicyState(db)).toEqual({
        ...{ published: null, inForce: null, held: [], waiting: [], failed: [], refused: [] },
        processes: [],
      });
    }));

  test("a bundle refused a microsecond before has failed before, not since", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      await move(db, 1, "published", "refused");
      await db.transaction((tx) =>
        recordRefusal(tx, {
          ...{ source: "s3://b/k", tag: "1", refusal: "signature-invalid", sentence: "changed" },
          ...{ revision: 1, digest: null },
        }),
      );
      await publishPolicy(db, { digest: "files", bundle: {}, source: "policies" });
      const decided = async (micros: number) => {
        const at = `(SELECT created_at FROM control.policy_revision) + interval '${micros} microseconds'`;
        await db.query(`UPDATE control.policy_bundle SET decided_at = ${at}`);
        await db.query(`UPDATE control.policy_refusal SET at = ${at}`);
        const { failed, refused } = await readPolicyState(db);
        return [failed.length, refused.length];
      };
      expect([await decided(-1), await decided(0), await decided(1)]).toEqual([
        [0, 0],
        [1, 1],
        [1, 1],
      ]);
    }));

  test("tells published, in force, held, waiting and failed apart", () =>
    withDatabase(async (db) => {
      await publish(db, 1);
      await move(db, 1, "published", "refused");
      await publishPolicy(db, { digest: "files", bundle: {}, source: "policies" });
      const { failed: before } = await readPolicyState(db);
      expect(before).toEqual([]);
      await publish(db, 2);
      await move(db, 2, "published", "refused");
      await publish(db, 3);
      await move(db, 3, "published", "waiting");
      await notePolicyProcess(db, { process: "h:1", role: "worker", revision: 1, digest: "files" });
      const state = await readPolicyState(db);
      expect(state).toMatchObject({
        published: { revision: 3, status: "waiting" },
        inForce: { digest: "files", bundleRevision: null, source: "policies" },
        waiting: [{ revision: 3 }],
        held: [],
        failed: [{ revision: 2 }],
        processes: [{ process: "h:1", role: "worker", digest: "files" }],
      });
    }));
});
