/** What an alert may start by itself, on a real database, in the transaction that records the alert. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Transition } from "../../src/alert/state.js";
import { silentLogger } from "../../src/base/log.js";
import type { AccessRule, Automation, PolicySet } from "../../src/policy/policy.js";
import { createAlertAutomation } from "../../src/runtime/alert-automation.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { listAudit } from "../../src/store/audit.js";
import { listNotices } from "../../src/store/notices.js";
import { saveProtection } from "../../src/store/protection.js";
import { listRuns } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAccessRule, makeGuard, makePolicy } from "../support/make-policy.js";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";

const registry = makeRegistry(
  makeRunbook("drain"),
  makeRunbook("dig"),
  makeRunbook("look", { danger: "R" }),
);

const onLevel = (level: string, overrides: Partial<Automation> = {}): Automation => ({
  name: `on-${level}`,
  when: { on: "alert", level },
  runbook: "drain",
  params: { note: "by itself" },
  guard: makeGuard({ perHourMax: 2 }),
  trust: { level: "auto", because: "a test" },
  ...overrides,
});
const rule = (overrides: Partial<AccessRule> = {}): AccessRule =>
  makeAccessRule({ danger: "V", doors: ["policy"], ...overrides });

function policyWith(automation: Automation[], rules = [rule()]): PolicySet {
  const { access } = makePolicy();
  return makePolicy({ automation, access: { ...access, rules }, runbooks: { drain: "built" } });
}

const change = (overrides: Partial<Transition> = {}): Transition => ({
  ...{ rule: "depth-high", instance: "*", kind: "fired", level: "AR-06", severity: "sev3" },
  ...{ labels: {}, value: 1523, at: 1_700_000_040_000 },
  ...overrides,
});

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(() =>
  lent.db.query("TRUNCATE control.run, control.notice, public.jobs RESTART IDENTITY CASCADE"),
);

function hear(policy: PolicySet, ...transitions: Transition[]): Promise<void> {
  return hearFrom(null, policy, ...transitions);
}

function hearFrom(
  gitopsRepo: string | null,
  policy: PolicySet,
  ...transitions: Transition[]
): Promise<void> {
  const notify = createRuntimeNotify({ policy: () => policy, now: () => new Date() });
  const deps = {
    registry,
    policy: () => policy,
    notify,
    log: silentLogger,
    config: { gitopsRepo },
  };
  return lent.db.transaction((tx) => createAlertAutomation(deps)(tx, transitions, new Date()));
}

const runs = () => listRuns(lent.db, 10);
const told = () => listNotices(lent.db, { limit: 10 });

test("entering a level starts the runbook that an automation names for it, once", async () => {
  await hear(policyWith([onLevel("AR-06")]), change());
  expect(await runs()).toMatchObject([
    {
      ...{ runbook: "drain", params: { note: "by itself" }, status: "queued", door: "policy" },
      ...{ actor: "policy:on-AR-06", role: "operator", automation: "on-AR-06" },
      ...{ alertLevel: "AR-06", chat: { channel: "#ops", ts: null } },
    },
  ]);
  expect(await told()).toEqual([]);
});

test.each([
  ["upgraded", 1],
  ["pending", 0],
  ["pending-ended", 0],
  ["downgraded", 0],
  ["resolved", 0],
  ["ended-by-edit", 0],
] as const)("an alert that is %s starts %i runs", async (kind, count) => {
  await hear(policyWith([onLevel("AR-06")]), change({ kind }));
  expect(await runs()).toHaveLength(count);
});

test("another level, and an automation for incidents, start nothing", async () => {
  const incident = onLevel("AR-06", {
    when: { on: "incident", titleIncludes: "depth", dedupKeyPrefix: null },
  });
  await hear(policyWith([onLevel("AR-07"), incident]), change());
  expect(await runs()).toEqual([]);
});

test("many instances that fire at once start one run, and nobody is bothered", async () => {
  const fired = ["a", "b", "c"].map((instance) => change({ instance }));
  await hear(policyWith([onLevel("AR-06")]), ...fired);
  expect(await runs()).toHaveLength(1);
  expect(await told()).toEqual([]);
});

test("a spent budget starts nothing, and people learn why", async () => {
  const policy = policyWith([onLevel("AR-06", { guard: makeGuard({ perHourMax: 1 }) })]);
  await hear(policy, change());
  await lent.db.query(
    "UPDATE control.run SET status = 'succeeded', started_at = now(), ended_at = now()",
  );
  await hear(policy, change());
  expect(await runs()).toHaveLength(1);
  expect(await told()).toMatchObject([
    {
      ...{ receiver: "ops", severity: "sev3", dedupKey: "algobrain/automation/on-AR-06" },
      message: {
        title: "No runbook was started for depth-high: a person is needed",
        fields: [{}, { value: expect.stringContaining("its budget is 1") }],
      },
    },
  ]);
  expect((await listAudit(lent.db, { limit: 1 }))[0]).toMatchObject({
    ...{ action: "run.held", actor: "policy:on-AR-06", details: { reason: "budget-spent" } },
  });
});

test("what the access policy does not let automation do is refused, and people learn why", async () => {
  await hear(policyWith([onLevel("AR-06")], [rule({ doors: ["slack"] })]), change());
  expect(await runs()).toEqual([]);
  expect(await told()).toMatchObject([
    { message: { fields: [{}, { value: expect.stringContaining("not be run through policy") }] } },
  ]);
});

test.each([
  ["sev1", ["oncall", "ops"]],
  ["sev2", ["oncall", "ops"]],
  ["sev3", ["ops"]],
] as const)(
  "that nothing was started for a %s alert is told to %j",
  async (severity, receivers) => {
    await hear(policyWith([onLevel("AR-06", { trust: null })]), change({ severity }));
    expect((await told()).map(({ receiver }) => receiver).sort()).toEqual(receivers);
  },
);

test("an automation that breaks takes neither the alert nor the next automation with it", async () => {
  const broken = onLevel("AR-06", { name: "broken", params: { note: "a\u0000b" } });
  await hear(policyWith([broken, onLevel("AR-06")]), change());
  expect(await runs()).toMatchObject([{ automation: "on-AR-06" }]);
  expect(await told()).toMatchObject([
    { dedupKey: "algobrain/automation/broken", message: { fields: [{}, { label: "Why not" }] } },
  ]);
});

test("what changes anything does not start from policies that nobody has to review, and people learn why", async () => {
  const policy = policyWith([onLevel("AR-06")]);
  await hearFrom("acme/policies", policy, change());
  expect(await runs()).toEqual([]);
  expect(await told()).toMatchObject([
    {
      message: {
        fields: [{}, { value: expect.stringContaining("branch protection of acme/policies") }],
      },
    },
  ]);
  expect((await listAudit(lent.db, { limit: 1 }))[0]).toMatchObject({
    ...{ action: "run.held", details: { reason: "unprotected" } },
  });
  const verdict = { branch: "main", verdict: "on", missing: [] } as const;
  await saveProtection(lent.db, "acme/policies", verdict, new Date());
  await hearFrom("acme/policies", policy, change());
  expect(await runs()).toMatchObject([{ runbook: "drain" }]);
});

test("what only reads starts all the same", async () => {
  const policy = policyWith([onLevel("AR-06", { runbook: "look" })], [rule({ danger: "R" })]);
  const built = { ...policy, runbooks: { look: "built" } } as PolicySet;
  await hearFrom("acme/unknown", built, change());
  expect(await runs()).toMatchObject([{ runbook: "look" }]);
});
