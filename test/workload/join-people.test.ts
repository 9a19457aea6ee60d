/** Who is merged, who is only hinted at, and who stays two, by what several repositories and people say. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import type { Database } from "../../src/store/database.js";
import { addEvent } from "../../src/store/events.js";
import type { Author } from "../../src/workload/authors.js";
import { personKey } from "../../src/workload/person.js";
import { findPeople, recordPeople } from "../../src/workload/record-people.js";
import { undoMerge } from "../../src/workload/undo-merge.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const AT = new Date("2026-01-01T00:00:00Z");

let at: TestDatabase;
let db: Database;
beforeAll(async () => {
  at = await createTestDatabase();
  db = at.db;
});
beforeEach(() =>
  db.query(
    "TRUNCATE claims, identities, events, control.identity_merge, control.identity_hint, control.repo_history",
  ),
);
afterAll(() => at.drop());

type Signature = readonly [name: string, email: string];

const ADA: Signature = ["Ada Lovelace", "ada@engine.org"];
const ADA_AT_WORK: Signature = ["Ada Lovelace", "lovelace@engine.org"];
const ADA_AT_HOME: Signature = ["Ada Lovelace", "ada@gmail.com"];

function id([name, email]: Signature): string {
  return personKey(name, email).id;
}

/** Reads a repository in which these, and no others, have signed. */
async function read(
  repoId: string,
  signatures: readonly Signature[],
  people = WORKLOAD_DEFAULTS.people,
) {
  const authors = signatures.map(
    ([name, email]): Author => ({
      ...{ kind: "author", name, email, commitCount: 1, firstSeenAt: AT, lastSeenAt: AT },
    }),
  );
  const history = { past: null, isContinued: false, head: null, mailmap: null, rules: "test" };
  const whole = { repoId, ...history, commitCount: authors.length, authors };
  const found = await findPeople(db, whole);
  return db.transaction((tx) => recordPeople(tx, whole, found, { ...people, jobSeq: 1 }));
}

async function merges() {
  const { rows } = await db.query(
    "SELECT reason, score, evidence FROM control.identity_merge WHERE undone_at IS NULL ORDER BY id",
  );
  return rows;
}

async function hints() {
  return (await db.query("SELECT a, b, score, evidence FROM control.identity_hint ORDER BY a, b"))
    .rows;
}

describe("within one repository", () => {
  it("a merge says by what evidence and how sure it is (HB-wrk-03)", async () => {
    expect(await read("r1", [ADA, ADA_AT_WORK])).toMatchObject({ people: 2, merged: 1 });
    expect(await merges()).toEqual([
      {
        reason: "same-full-name+same-domain",
        score: 0.9,
        evidence: ["same-full-name", "same-domain"],
      },
    ]);
  });

  it("policy says from which score on: below it the two are hinted at", async () => {
    await read("r1", [ADA, ADA_AT_HOME], { mergeAt: 0.8, hintAt: 0.4 });
    expect(await merges()).toEqual([]);
    const [a, b] = [id(ADA), id(ADA_AT_HOME)].sort();
    expect(await hints()).toEqual([{ a, b, score: 0.75, evidence: ["same-full-name"] }]);
  });

  it("a hint goes when the two become one", async () => {
    await read("r1", [ADA, ADA_AT_HOME], { mergeAt: 0.8, hintAt: 0.4 });
    await read("r1", [ADA, ADA_AT_HOME]);
    expect(await merges()).toHaveLength(1);
    expect(await hints()).toEqual([]);
  });

  it("one GitHub account joins two names; a mail with two accounts says nothing", async () => {
    const signatures: Signature[] = [
      ["ada", "1+ada@users.noreply.github.com"],
      ["Countess", "countess@home.org"],
    ];
    const pushed = (deliveryId: string, username: string) =>
      addEvent(db, {
        ...{ deliveryId, source: "github", eventType: "push", repoId: "r1", occurredAt: AT },
        payload: { commits: [{ author: { email: "Countess@home.org", username } }] },
      });
    await pushed("d1", "Ada");
    await pushed("d2", "bob");
    expect(await read("r1", signatures)).toMatchObject({ merged: 0 });
    await db.query("DELETE FROM events WHERE delivery_id = 'd2'");
    expect(await read("r1", signatures)).toMatchObject({ merged: 1 });
    expect(await merges()).toMatchObject([{ reason: "same-github-login", score: 0.97 }]);
  });
});

describe("over several repositories", () => {
  it.each([
    ["the first is read first", false],
    ["the second is read first", true],
  ])("a name at one company is one person, a name alone is a hint, when %s", async (_, swapped) => {
    const repos = [
      { repo: "r1", signatures: [ADA] },
      { repo: "r2", signatures: [ADA_AT_WORK] },
      { repo: "r3", signatures: [ADA_AT_HOME] },
    ];
    for (const { repo, signatures } of swapped ? repos.reverse() : repos)
      await read(repo, signatures);
    expect(await merges()).toEqual([
      {
        reason: "same-full-name-elsewhere+same-domain",
        score: 0.76,
        evidence: ["same-full-name-elsewhere", "same-domain"],
      },
    ]);
    const hinted = await hints();
    expect(hinted.length).toBeGreaterThan(0);
    for (const hint of hinted) expect(hint).toMatchObject({ score: 0.4 });
    const { rows } = await db.query(
      "SELECT DISTINCT identity_id FROM claims WHERE repo_id IN ('r1', 'r2')",
    );
    expect(rows).toEqual([{ identity_id: [id(ADA), id(ADA_AT_WORK)].sort()[0] }]);
  });

  it("a shared mailbox that signs with somebody's name is not that person", async () => {
    const names = ["Bob Hope", "Cleo Patra", "Dora Maar", "Emmy Noether"];
    const shared = names.map((name): Signature => [name, "dev@engine.org"]);
    await read("r1", [["Ada Lovelace", "dev@engine.org"], ...shared]);
    expect(await read("r2", [ADA])).toMatchObject({ merged: 0, hinted: 0 });
  });

  it("a name that many bear says nothing", async () => {
    const many = Array.from(
      { length: 25 },
      (_, at): Signature => ["John Smith", `${at}@gmail.com`],
    );
    for (const [at, one] of many.entries()) await read(`r${at}`, [one]);
    expect(await read("last", [["John Smith", "smith@gmail.com"]])).toMatchObject({ hinted: 0 });
  });
});

describe("two whom a person has parted", () => {
  it("are not joined again by evidence, also not through a third", async () => {
    await read("r1", [ADA, ADA_AT_HOME]);
    const { rows } = await db.query<{ id: number }>("SELECT id FROM control.identity_merge");
    await db.transaction((tx) => undoMerge(tx, rows[0]!.id, 9));
    expect(await read("r1", [ADA, ADA_AT_HOME])).toMatchObject({ merged: 0 });
    expect(await hints()).toEqual([]);
    await read("r1", [ADA, ADA_AT_HOME, ["Ada Lovelace", "countess@home.org"]]);
    const { rows: owners } = await db.query<{ email: string; identity_id: string }>(
      "SELECT email, identity_id FROM claims",
    );
    const owner = new Map(owners.map(({ email, identity_id }) => [email, identity_id]));
    expect(owner.get(ADA[1])).not.toBe(owner.get(ADA_AT_HOME[1]));
  });
});
