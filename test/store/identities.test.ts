import { describe, expect, it } from "vitest";
import { replaceClaims } from "../../src/store/claims.js";
import type { Sql } from "../../src/store/database.js";
import { addIdentities, renameByClaims, resolveIdentities } from "../../src/store/identities.js";
import { mergeIdentity } from "../../src/store/identity-merges.js";
import { withDatabase } from "../support/database.js";

const AT = new Date("2026-01-01T00:00:00Z");

async function addPeople(sql: Sql, ...ids: string[]): Promise<void> {
  await addIdentities(
    sql,
    ids.map((id) => ({ id, name: id, email: `${id}@example.org`, kind: "human" as const })),
  );
}

function claim(identityId: string, email = `${identityId}@example.org`, commitCount = 1) {
  const times = { firstSeenAt: AT, lastSeenAt: AT };
  return {
    identityId,
    kind: "author" as const,
    name: identityId,
    email,
    commitCount,
    ...times,
    reason: "same-mail",
  };
}

function merge(identityId: string, targetId: string, jobSeq = 1) {
  return { identityId, targetId, reason: "asked", score: null, evidence: [], jobSeq };
}

async function rows(sql: Sql): Promise<{ identities: unknown[]; claims: unknown[] }> {
  const identities = await sql.query("SELECT id, name, merged_into FROM identities ORDER BY id");
  const claims = await sql.query(
    "SELECT id, identity_id, email, commit_count FROM claims ORDER BY id",
  );
  return { identities: identities.rows, claims: claims.rows };
}

describe("replaceClaims", () => {
  it("adds, corrects and removes, and the same again changes nothing", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b");
      await replaceClaims(db, "r1", [claim("a"), claim("b")]);
      await replaceClaims(db, "r2", [claim("b")]);
      const corrected = [claim("a", "a@example.org", 7)];
      expect(await replaceClaims(db, "r1", corrected)).toEqual({
        removed: 1,
        touched: new Set(["a", "b"]),
      });
      const before = await rows(db);
      expect(before.claims).toMatchObject([
        { identity_id: "a", commit_count: 7 },
        { identity_id: "b", commit_count: 1 },
      ]);
      expect(await replaceClaims(db, "r1", corrected)).toEqual({ removed: 0, touched: new Set() });
      expect(await rows(db)).toEqual(before);
    }));

  it("takes the longest names and mails that evidence may have", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a");
      const wide = { ...claim("a", "名".repeat(320)), name: "前".repeat(200) };
      await expect(replaceClaims(db, "r1", [wide])).resolves.toMatchObject({ removed: 0 });
    }));
});

describe("mergeIdentity", () => {
  it("moves claims and earlier followers, and one step finds who stands for whom", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b", "c");
      await replaceClaims(db, "r1", [claim("a"), claim("b")]);
      expect(await mergeIdentity(db, merge("a", "b"))).toBe("merged");
      expect(await mergeIdentity(db, merge("b", "c"))).toBe("merged");
      expect(await resolveIdentities(db, ["a", "b", "c", "x"])).toEqual(
        new Map([
          ["a", "c"],
          ["b", "c"],
          ["c", "c"],
        ]),
      );
      expect((await rows(db)).claims).toMatchObject([{ identity_id: "c" }, { identity_id: "c" }]);
    }));

  it("says why it did nothing, and then nothing has changed", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a", "b", "c");
      await mergeIdentity(db, merge("a", "b"));
      const before = await rows(db);
      expect(await mergeIdentity(db, merge("a", "b"))).toBe("merged-before");
      expect(await mergeIdentity(db, merge("a", "c"))).toBe("merged-elsewhere");
      expect(await mergeIdentity(db, merge("c", "a"))).toBe("merged-elsewhere");
      expect(await mergeIdentity(db, merge("x", "b"))).toBe("identity-unknown");
      expect(await mergeIdentity(db, merge("c", "x"))).toBe("target-unknown");
      expect(await rows(db)).toEqual(before);
    }));
});

describe("renameByClaims", () => {
  it("takes the name of most commits, and a real mail before GitHub's", () =>
    withDatabase(async (db) => {
      await addPeople(db, "a");
      await replaceClaims(db, "r1", [
        { ...claim("a", "a@users.noreply.github.com", 50), name: "a" },
        { ...claim("a", "ada@example.org", 20), name: "Ada Lovelace" },
        { ...claim("a", "ada@example.org", 1), name: "ada" },
      ]);
      await renameByClaims(db, ["a"]);
      const { rows: found } = await db.query("SELECT name, email FROM identities");
      expect(found).toEqual([{ name: "Ada Lovelace", email: "ada@example.org" }]);
    }));
});
