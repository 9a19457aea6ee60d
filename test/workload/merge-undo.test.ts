/**
 * Merges and undos in any order, with histories read in between, against a model: who was merged into whom and not
 * taken back says who stands for whom, and each claim is with whoever stands for the person who signed it.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replaceClaims } from "../../src/store/claims.js";
import type { Database, Sql } from "../../src/store/database.js";
import { addIdentities, resolveIdentities } from "../../src/store/identities.js";
import { listApart, mergeIdentity } from "../../src/store/identity-merges.js";
import { personKey } from "../../src/workload/person.js";
import { undoMerge } from "../../src/workload/undo-merge.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const AT = new Date("2026-01-01T00:00:00Z");
const PEOPLE = 6;
const REPOS = 3;

const people = Array.from({ length: PEOPLE }, (_, at) => {
  const [name, email] = [`Person ${"abcdef"[at]}`, `${at}@engine.org`];
  return { id: personKey(name, email).id, name, email, kind: "human" as const };
});

let at: TestDatabase;
let db: Database;
beforeAll(async () => {
  at = await createTestDatabase();
  db = at.db;
});
afterAll(() => at.drop());

type Step =
  | { readonly do: "merge"; readonly who: number; readonly into: number }
  /** Of the merges so far, standing or not. */
  | { readonly do: "undo"; readonly which: number }
  /** A repository in which so many of the people are found, from the first on. */
  | { readonly do: "read"; readonly repo: number; readonly count: number };

const person = fc.nat(PEOPLE - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant("merge" as const), who: person, into: person }),
    weight: 4,
  },
  { arbitrary: fc.record({ do: fc.constant("undo" as const), which: fc.nat(20) }), weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      repo: fc.nat(REPOS - 1),
      count: fc.integer({ min: 0, max: PEOPLE }),
    }),
    weight: 2,
  },
);

/** Each person's way up, as long as it was not taken back. */
class Model {
  private readonly up = new Map<string, string>();
  readonly merges: { id: number; who: string; into: string; stands: boolean }[] = [];

  rootOf(id: string): string {
    const above = this.up.get(id);
    return above === undefined ? id : this.rootOf(above);
  }

  merge(id: number, who: string, into: string): void {
    this.up.set(who, into);
    this.merges.push({ id, who, into, stands: true });
  }

  undo(merge: Model["merges"][number]): void {
    this.up.delete(merge.who);
    merge.stands = false;
  }
}

async function readRepo(tx: Sql, repo: number, count: number): Promise<void> {
  const found = people.slice(0, count);
  const standing = await resolveIdentities(
    tx,
    found.map(({ id }) => id),
  );
  const seen = { commitCount: 1, firstSeenAt: AT, lastSeenAt: AT, reason: "same-mail" };
  const claims = found.map(({ id, name, email }) => ({
    ...{ identityId: standing.get(id)!, kind: "author" as const, name, email },
    ...seen,
  }));
  await replaceClaims(tx, `r${repo}`, claims);
}

async function take(tx: Sql, model: Model, next: Step): Promise<void> {
  if (next.do === "read") return readRepo(tx, next.repo, next.count);
  if (next.do === "merge") {
    const [who, into] = [people[next.who]!.id, people[next.into]!.id];
    const asked = { identityId: who, targetId: into, reason: "asked", score: null, evidence: [] };
    const outcome = await mergeIdentity(tx, { ...asked, jobSeq: 1 });
    const isPossible = who !== into && model.rootOf(who) === who && model.rootOf(into) === into;
    expect(outcome === "merged").toBe(isPossible);
    if (outcome !== "merged") return;
    const { rows } = await tx.query<{ id: number }>(
      "SELECT max(id) AS id FROM control.identity_merge",
    );
    return model.merge(rows[0]!.id, who, into);
  }
  const merge = model.merges[next.which % Math.max(1, model.merges.length)];
  if (merge === undefined) return;
  const done = await undoMerge(tx, merge.id, 9);
  expect(done !== null).toBe(merge.stands);
  if (merge.stands) model.undo(merge);
}

async function expectAsModel(tx: Sql, model: Model): Promise<void> {
  const { rows: identities } = await tx.query<{ id: string; merged_into: string | null }>(
    "SELECT id, merged_into FROM identities",
  );
  for (const { id, merged_into } of identities) expect(merged_into ?? id).toBe(model.rootOf(id));
  const { rows: claims } = await tx.query<{ identity_id: string; name: string; email: string }>(
    "SELECT identity_id, name, email FROM claims",
  );
  for (const { identity_id, name, email } of claims)
    expect(identity_id).toBe(model.rootOf(personKey(name, email).id));
}

describe("merges and undos", () => {
  it("in any order leave each claim with whoever stands for its person (HB-wrk-10)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 16 }), async (steps) => {
        await db.query("TRUNCATE claims, identities, control.identity_merge");
        await db.transaction(async (tx) => {
          await addIdentities(tx, people);
          for (let repo = 0; repo < REPOS; repo++) await readRepo(tx, repo, PEOPLE - repo);
          const model = new Model();
          for (const next of steps) {
            await take(tx, model, next);
            await expectAsModel(tx, model);
          }
        });
      }),
      { numRuns: 50 },
    );
  });

  it("all taken back leave the rows as if never merged", async () => {
    await db.query("TRUNCATE claims, identities, control.identity_merge");
    await db.transaction(async (tx) => {
      await addIdentities(tx, people);
      await readRepo(tx, 0, PEOPLE);
      const rows =
        "SELECT i.name, i.email, i.merged_into, to_jsonb(c) FROM identities i JOIN claims c ON c.email = i.email ORDER BY c.id";
      const before = (await tx.query(rows)).rows;
      const model = new Model();
      for (const [who, into] of [
        [0, 1],
        [1, 2],
        [3, 2],
        [2, 4],
        [5, 4],
      ] as const)
        await take(tx, model, { do: "merge", who, into });
      // Neither first in, first out nor the other way round.
      for (const which of [1, 4, 0, 3, 2]) await take(tx, model, { do: "undo", which });
      const { rows: names } = await tx.query("SELECT name, email FROM identities ORDER BY email");
      expect(names).toEqual(people.map(({ name, email }) => ({ name, email })));
      expect((await tx.query(rows)).rows).toEqual(before);
    });
  });

  it("that plain SQL made stay where they are when a recorded one above is taken back", async () => {
    await db.query("TRUNCATE claims, identities, control.identity_merge");
    await db.transaction(async (tx) => {
      const [a, b, c] = people.map(({ id }) => id) as [string, string, string];
      await addIdentities(tx, people.slice(0, 3));
      await tx.query("UPDATE identities SET merged_into = $2 WHERE id = $1", [a, b]);
      const model = new Model();
      await take(tx, model, { do: "merge", who: 1, into: 2 });
      expect(await resolveIdentities(tx, [a])).toEqual(new Map([[a, c]]));
      await take(tx, model, { do: "undo", which: 0 });
      expect(await resolveIdentities(tx, [a, b])).toEqual(
        new Map([
          [a, b],
          [b, b],
        ]),
      );
    });
  });

  it("of a person's order keep the two apart, whoever stands for them later; a compensation does not", async () => {
    await db.query("TRUNCATE claims, identities, control.identity_merge");
    await db.transaction(async (tx) => {
      const [a, b, c, d] = people.map(({ id }) => id) as [string, string, string, string];
      await addIdentities(tx, people);
      const merge = async (identityId: string, targetId: string) => {
        const asked = { reason: "asked", score: null, evidence: [], jobSeq: 1 };
        await mergeIdentity(tx, { identityId, targetId, ...asked });
        const { rows } = await tx.query<{ id: number }>(
          "SELECT max(id) AS id FROM control.identity_merge",
        );
        return rows[0]!.id;
      };
      await undoMerge(tx, await merge(c, d), null);
      expect(await listApart(tx, [c, d])).toEqual([]);
      await undoMerge(tx, await merge(a, b), 9);
      expect(await listApart(tx, [a])).toEqual([[a, b].sort()]);
      await merge(a, c);
      expect(await listApart(tx, [c])).toEqual([[c, b].sort()]);
      // Joined again by order: the newest word counts.
      await merge(b, c);
      expect(await listApart(tx, [a, b, c])).toEqual([]);
    });
  });
});
