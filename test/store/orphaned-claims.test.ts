/** People agree to the number that the cleanup then takes away: both count the same claims (RB-47, HB-api-06). */
import { expect, it } from "vitest";
import { countLostClaims } from "../../src/store/claims.js";
import { createWorkloadReader } from "../../src/store/workload-care.js";
import { withDatabase } from "../support/database.js";

it("counts for the plan all claims that the cleanup takes for nobody's", () =>
  withDatabase(async (db) => {
    await db.query("INSERT INTO repos (id, name) VALUES ('repo-1', 'r')");
    await db.query(
      `INSERT INTO identities (id, name, email, merged_into) VALUES
         ('person-stands', 'Ada', 'ada@example.org', NULL),
         ('person-follows', 'Ada', 'ada@example.com', 'person-stands'),
         ('person-astray', 'Bob', 'bob@example.org', 'person-gone')`,
    );
    await db.query(
      `INSERT INTO claims (repo_id, identity_id, kind, name, email, reason, commit_count)
       SELECT 'repo-1', 'person-' || who, 'author', who, who || '@example.org', 'test', 2000000000
       FROM unnest(ARRAY['stands', 'follows', 'astray', 'missing']) AS who`,
    );
    const reader = createWorkloadReader(db, { due: async () => [] });
    expect(await countLostClaims(db)).toEqual({ misled: 1, orphaned: 2 });
    expect(await reader.orphanedClaims()).toBe(2);
    await db.query("UPDATE claims SET identity_id = 'person-stands'");
    expect(await reader.identities(["person-stands"])).toMatchObject([
      { claims: 4, commits: 8_000_000_000 },
    ]);
  }));
