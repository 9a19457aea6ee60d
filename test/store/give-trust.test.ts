/** Who wrote a runbook does not alone let it start without people again: on a real database. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunbookChange } from "../../src/runbook/authors.js";
import { pinOf } from "../../src/runbook/run.js";
import { appendAudit, readAuditOfTarget } from "../../src/store/audit.js";
import { closeBreaker, readBreaker, settleBreaker } from "../../src/store/automation-breaker.js";
import { giveTrust } from "../../src/store/give-trust.js";
import { settleTrust } from "../../src/store/promotions.js";
import { subjectOf, viewTrust } from "../../src/store/trust-list.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAutomation, makePerson, makePolicy } from "../support/make-policy.js";
import { makeRunbook } from "../support/runbook-world.js";
import { until } from "../support/until.js";

const BY_ANN: RunbookChange = {
  commit: "a".repeat(40),
  authors: [{ name: "Ann", email: "ann@example.com" }],
};

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());

let made = 0;
/** A runbook that was granted `auto` and has lost it, with its breaker open. */
async function lose(
  change: RunbookChange | null,
  environment = "production",
  danger: "R" | "V" = "V",
) {
  made += 1;
  const entry = {
    runbook: makeRunbook(`fix-${made}`, { danger }),
    ...{ contentHash: "hash", change },
  };
  const { name } = entry.runbook;
  const { access } = makePolicy();
  const policy = makePolicy({
    ...{ environment, automation: [makeAutomation({ runbook: name })] },
    access: { ...access, people: [makePerson("ann", { subjects: ["git:ann@example.com"] })] },
  });
  await lent.db.query(
    `INSERT INTO control.run (runbook, params, actor, role, door, dry_run, content_hash, status, automation, started_at, deadline_at, ended_at)
     SELECT $1, '{}', 'service:pagerduty', 'operator', 'pagerduty', false, $2, 'failed', 'backlog', now(), now(), now()
     FROM generate_series(1, 3)`,
    [name, pinOf("hash")],
  );
  const { promotion } = policy.healing.automation;
  const subject = subjectOf(name, pinOf("hash"), policy.automation);
  await lent.db.transaction((tx) => settleTrust(tx, subject, promotion));
  await lent.db.transaction((tx) => settleBreaker(tx, name, 3));
  const give = (person: string | null) =>
    lent.db.transaction((tx) =>
      giveTrust(tx, entry, { by: `api:${person}`, person, reason: "looked" }, policy),
    );
  return { name, give, view: () => viewTrust(lent.db, entry, policy) };
}

test("the author gives back that people are asked, and another the rest", async () => {
  const { name, give, view } = await lose(BY_ANN);
  expect(await view()).toMatchObject({ level: "approve", breaker: expect.any(String) });
  expect(await give("ann")).toContain(`you wrote the last change of ${name}`);
  expect(await view()).toMatchObject({ level: "approve", breaker: null });
  const [audited] = (await readAuditOfTarget(lent.db, `runbook:${name}`)).slice(-1);
  expect(audited).toMatchObject({
    ...{ actor: "api:ann", action: "runbook.trust-reset" },
    details: { reason: "looked", at_most: "approve" },
  });
  // As often as he says it.
  expect(await give("ann")).not.toBeNull();
  expect(await view()).toMatchObject({ level: "approve" });
  expect(await give("bob")).toBeNull();
  expect(await view()).toMatchObject({ level: "auto" });
});

test("what the author gave back to people its own runs may earn further", async () => {
  const { name, give, view } = await lose(BY_ANN);
  await give("ann");
  await lent.db.query(
    `INSERT INTO control.run (runbook, params, actor, role, door, dry_run, content_hash, status, is_drill, started_at, ended_at)
     SELECT $1, '{}', 'ann', 'operator', 'cli', false, $2, 'succeeded', n > 10, now(), clock_timestamp() + n % 3 * interval '1 day'
     FROM generate_series(1, 13) AS n`,
    [name, pinOf("hash")],
  );
  expect(await view()).toMatchObject({ level: "auto" });
});

test("what was not lost, the author does not lose by closing the breaker", async () => {
  const { name, give, view } = await lose(BY_ANN);
  await give("bob");
  await lent.db.query(
    "UPDATE control.automation_breaker SET opened_at = now(), reason = 'again' WHERE runbook = $1",
    [name],
  );
  expect(await give("ann")).toBeNull();
  expect(await view()).toMatchObject({ level: "auto", breaker: null });
});

test.each<[string, RunbookChange | null, string, "R" | "V", string | null, string]>([
  ["by somebody who is nobody in access.yaml", BY_ANN, "production", "V", null, "approve"],
  ["where nobody knows who wrote it", null, "production", "V", "bob", "approve"],
  ["in local, where nobody knows", null, "local", "V", null, "auto"],
  ["in local by its author", BY_ANN, "local", "V", "ann", "approve"],
  ["of what only reads, by its author", BY_ANN, "production", "R", "ann", "auto"],
])("given back %s", async (_claim, change, environment, danger, person, level) => {
  const { give, view } = await lose(change, environment, danger);
  expect((await give(person)) === null).toBe(level === "auto");
  expect(await view()).toMatchObject({ level, breaker: null });
});

test("author and another at once: the other's word stands, whoever was first", async () => {
  const { give, view } = await lose(BY_ANN);
  await Promise.all([give("ann"), give("bob"), give("ann")]);
  expect(["auto", "approve"]).toContain((await view()).level);
  await give("ann");
  const before = (await view()).level;
  await give("bob");
  expect((await view()).level).toBe("auto");
  expect(["auto", "approve"]).toContain(before);
});

test("an end that opens the breaker and a reset that closes it take the audit's chain and the row in one order", async () => {
  const { name } = await lose(BY_ANN);
  const isWaiting = async () => {
    const { rows } = await lent.db.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  };
  await lent.db.query("UPDATE control.automation_breaker SET opened_at = NULL");
  const target = `runbook:${name}`;
  let opening: Promise<string | null> = Promise.resolve(null);
  await lent.db.transaction(async (tx) => {
    await appendAudit(tx, { actor: "ann", action: "runbook.trust-reset", target });
    opening = lent.db.transaction((other) => settleBreaker(other, name, 3));
    await until(isWaiting, "the end waits for the chain");
    await closeBreaker(tx, { runbook: name, by: "ann" });
  });
  // What failed before it was closed opens it no more.
  expect(await opening).toBeNull();
  expect(await readBreaker(lent.db, name)).toBeNull();
});
