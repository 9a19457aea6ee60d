/** What an audit leaves on record, and what it says to people, on a real database that is broken and healed by SQL. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuditHandler } from "../../../src/runtime/handler/audit.js";
import type { RuntimeWord } from "../../../src/runtime/runtime-word.js";
import { findingsSource } from "../../../src/runtime/sample/findings.js";
import { recordFindings } from "../../../src/store/audit-findings.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { makeContext } from "../../support/job-context.js";

let place: TestDatabase;
beforeAll(async () => {
  place = await createTestDatabase();
});
afterAll(() => place.drop());

interface Audited {
  readonly opened: string[];
  readonly resolved: string[];
}

async function audit(now: string, seq = 1): Promise<{ done: Audited; told: string[] }> {
  const words: RuntimeWord[] = [];
  const tell = async (_: unknown, word: RuntimeWord) => void words.push(word);
  const handler = createAuditHandler({ db: place.db, tell });
  const done = await handler.run(makeContext({ kind: "audit", payload: {}, now, seq }));
  const told = words.map(({ action = "trigger", key }) => `${action} ${key}`);
  return { done: done as unknown as Audited, told };
}

const findings = async () =>
  (
    await place.db.query(
      `SELECT invariant, count, examples, first_seen AS "from", last_seen AS last, resolved_at AS held
       FROM control.audit_finding ORDER BY id`,
    )
  ).rows;

const openCount = async () => (await findingsSource(place.db).collect(new Date(0)))[0]?.value;

const at = (hour: number) => `2026-06-15T0${hour}:00:00.000Z`;

describe("findings of the audit", () => {
  it("open once, are told once, and close when the data holds again", async () => {
    await place.db.query(
      "INSERT INTO claims (identity_id, repo_id, email) VALUES ('nobody', 'r', 'a'), ('nobody', 'r', 'b')",
    );
    expect(await audit(at(1))).toMatchObject({
      done: { opened: ["claim-has-identity"], resolved: [] },
      told: ["trigger audit-finding/claim-has-identity"],
    });
    const open = { invariant: "claim-has-identity", from: new Date(at(1)), held: null };
    const both = { ...open, count: 2, examples: ["1", "2"] };
    expect(await findings()).toEqual([{ ...both, last: new Date(at(1)) }]);
    expect(await openCount()).toBe(2);

    await place.db.query("DELETE FROM claims WHERE email = 'b'");
    expect(await audit(at(2))).toMatchObject({ done: { opened: [], resolved: [] }, told: [] });
    const one = { ...open, count: 1, examples: ["1"], last: new Date(at(2)) };
    expect(await findings()).toEqual([one]);

    await place.db.query("INSERT INTO identities (id) VALUES ('nobody')");
    expect(await audit(at(3))).toMatchObject({
      done: { opened: [], resolved: ["claim-has-identity"] },
      told: ["resolve audit-finding/claim-has-identity"],
    });
    expect(await findings()).toEqual([{ ...one, held: new Date(at(3)) }]);
    expect(await openCount()).toBe(0);
    expect(await audit(at(4))).toMatchObject({ done: { opened: [], resolved: [] }, told: [] });
  });

  it("that come back are new ones, and an audit that looked earlier closes nothing", async () => {
    const broken = [{ invariant: "score-has-repo", count: 1, examples: ["9"] }];
    const opened = await recordFindings(place.db, broken, new Date(at(6)));
    expect(opened).toEqual({ opened: broken, resolved: [] });
    const nothing = { opened: [], resolved: [] };
    expect(await recordFindings(place.db, [], new Date(at(5)))).toEqual(nothing);
    expect(await recordFindings(place.db, broken, new Date(at(6)))).toEqual(nothing);
    expect(await recordFindings(place.db, [], new Date(at(7)))).toMatchObject({
      resolved: ["score-has-repo"],
    });
    expect(await recordFindings(place.db, broken, new Date(at(8)))).toMatchObject({
      opened: broken,
    });
  });

  it("are noted once by audits that look at the same time", async () => {
    const broken = [{ invariant: "running-job-has-worker", count: 1, examples: ["job-1"] }];
    const opened = await Promise.all(
      Array.from({ length: 5 }, () =>
        place.db.transaction((tx) => recordFindings(tx, broken, new Date(at(9)))),
      ),
    );
    expect(opened.flatMap((changes) => changes.opened)).toEqual(broken);
  });
});
