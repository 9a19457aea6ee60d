/** Automation on a real database: storms fold, budgets hold under concurrency, trust and breakers follow the runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import type { Automation, PolicySet } from "../../src/policy/policy.js";
import { defineRunbook, Type } from "../../src/runbook/define.js";
import { pinOf, type Run } from "../../src/runbook/run.js";
import { createAfterRun } from "../../src/runtime/after-run.js";
import { createApprovalsMin } from "../../src/runtime/approvals-min.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { tellFollowersTick } from "../../src/runtime/tick/tell-followers.js";
import { listAudit } from "../../src/store/audit.js";
import { listNotices } from "../../src/store/notices.js";
import { resetTrust } from "../../src/store/promotions.js";
import { listRuns, readRun } from "../../src/store/runs.js";
import { setStopRow } from "../../src/store/stop-switch.js";
import { type AutomationSubmission, submitAutomation } from "../../src/store/submit-automation.js";
import { submitRun } from "../../src/store/submit-run.js";
import { viewTrust } from "../../src/store/trust-list.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAccessRule, makeAutomation, makeGuard, makePolicy } from "../support/make-policy.js";
import { ANN, makeRegistry, makeRunbook, workOn } from "../support/runbook-world.js";

const drain = defineRunbook({
  name: "drain",
  title: "drains a queue",
  danger: "V",
  params: Type.Object(
    { queue: Type.String({ pattern: "^[a-z]+$", default: "index", description: "a queue" }) },
    { additionalProperties: false },
  ),
  positional: ["queue"],
  locks: ({ queue }) => [`queue-${queue}`],
  timeoutMs: 60_000,
  plan: async () => ({ text: "it is full", changes: ["drain it"] }),
  steps: [{ name: "drain", repeat: "safe", run: async () => "drained" }],
  next: () => "/algobrain queue-depth",
});
const registry = makeRegistry(drain, makeRunbook("look", { danger: "R" }), {
  ...drain,
  name: "refill",
  aliases: [],
});

const { healing } = makePolicy();
function policyOf(
  automation: Automation,
  limits: Partial<PolicySet["healing"]["automation"]> = {},
) {
  const rules = (["R", "V", "D"] as const).map((danger) =>
    makeAccessRule({ danger, approvals: danger === "D" ? 1 : 0 }),
  );
  const access = { ...makePolicy().access, rules };
  const bounded = { ...healing, automation: { ...healing.automation, ...limits } };
  return makePolicy({ automation: [automation], access, healing: bounded });
}

const BACKLOG = makeAutomation({ runbook: "drain", guard: makeGuard({ foldMs: 600_000 }) });
/** No run keeps the next one away. */
const EAGER = makeAutomation({ runbook: "drain" });

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(() =>
  lent.db.query(
    `TRUNCATE control.run, control.notice, control.promotion, control.automation_breaker, public.jobs
     RESTART IDENTITY CASCADE`,
  ),
);

let incidents = 0;
type Extra = Partial<AutomationSubmission> & { readonly limits?: object };

function ask(automation: Automation = BACKLOG, more: Extra = {}) {
  const { limits, ...rest } = more;
  const submission: AutomationSubmission = {
    ...{ registry, automation, policy: policyOf(automation, limits), now: new Date() },
    actor: { name: "service:pagerduty", role: "operator", door: "pagerduty" },
    ...{ gitopsRepo: null, incidentId: `Q${++incidents}` },
    ...rest,
  };
  return lent.db.transaction((tx) => submitAutomation(tx, submission));
}

/** As an executor would have ended it; with what its end says of the runbook. */
async function end(id: string, status: "succeeded" | "failed", limits: object = {}): Promise<void> {
  const verified = status === "succeeded";
  await lent.db.query(
    `UPDATE control.run SET status = $2, verified = $3, outcome = 'so it ended', started_at = now(), deadline_at = now(),
       ended_at = clock_timestamp() WHERE id = $1`,
    [id, status, verified],
  );
  const policy = policyOf(EAGER, limits);
  const notify = createRuntimeNotify({ policy: () => policy, now: () => new Date() });
  const run = (await readRun(lent.db, id)) as Run;
  await lent.db.transaction((tx) => createAfterRun({ policy: () => policy, notify })(tx, run));
}

/** Asks, and ends the run that was started. */
async function once(status: "succeeded" | "failed", limits: object = {}): Promise<string> {
  const asked = await ask(EAGER, { limits });
  if (asked.outcome !== "queued") throw new Error(`not queued: ${JSON.stringify(asked)}`);
  await end(asked.run.id, status, limits);
  return asked.run.id;
}

const lastAudit = async () => (await listAudit(lent.db, { limit: 1 }))[0];
const told = async () => (await listNotices(lent.db, { limit: 20 })).map((one) => one.dedupKey);

describe("a storm", () => {
  test("of twenty incidents in one moment is one run and nineteen that inherit its outcome", async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => ask()));
    const count = (outcome: string) => outcomes.filter((one) => one.outcome === outcome).length;
    expect([count("queued"), count("folded")]).toEqual([1, 19]);
    expect(await listRuns(lent.db, 30)).toHaveLength(1);
    const { rows } = await lent.db.query("SELECT 1 FROM control.run_follower");
    expect(rows).toHaveLength(19);
  });

  test("on other queues is a run for each of them", async () => {
    const of = (queue: string) => ask({ ...BACKLOG, params: { queue } });
    expect((await of("index")).outcome).toBe("queued");
    expect((await of("score")).outcome).toBe("queued");
    expect((await of("index")).outcome).toBe("folded");
  });

  test("is over for an incident once it was told, however often its event comes", async () => {
    await ask(BACKLOG, { incidentId: "QA" });
    await ask(BACKLOG, { incidentId: "QB" });
    await end("run-1", "succeeded");
    for (const incidentId of ["QA", "QB"])
      expect(await ask(BACKLOG, { incidentId })).toMatchObject({ reason: "already-handled" });
    expect(await listRuns(lent.db, 9)).toHaveLength(1);
  });

  test("joins what a person does at this moment", async () => {
    const access = policyOf(BACKLOG).access;
    await submitRun(lent.db, {
      ...{ registry, access, actor: ANN, runbook: "drain", params: {}, dryRun: false },
    });
    expect(await ask()).toMatchObject({ outcome: "folded", runId: "run-1" });
  });
});

describe("who joined a run", () => {
  function teller(addNote: (incident: string, text: string) => Promise<void>) {
    const notify = createRuntimeNotify({ policy: () => policyOf(BACKLOG), now: () => new Date() });
    const tick = tellFollowersTick({
      ...{ db: lent.db, notify, log: silentLogger },
      incidents: { addNote: (incident, text) => addNote(incident, text) },
    });
    return () => tick.run(new Date(), new AbortController().signal);
  }

  async function joined(status: "succeeded" | "failed"): Promise<void> {
    for (const incidentId of ["QA", "QB", "QC"]) await ask(BACKLOG, { incidentId });
    await end("run-1", status);
  }

  test("is told its outcome when it has ended, once, and not before", async () => {
    const notes: string[] = [];
    const tell = teller(async (incident, text) => void notes.push(`${incident} ${text}`));
    for (const incidentId of ["QA", "QB"]) await ask(BACKLOG, { incidentId });
    await tell();
    expect(notes).toEqual([]);
    await end("run-1", "succeeded");
    await tell();
    await tell();
    expect(notes).toEqual([
      "QB No run of its own: run-1 (drain) was at work on the same, and succeeded. so it ended Look whether this incident is over as well.",
    ]);
    expect(await told()).toEqual([]);
  });

  test("of a run that failed learns that a person is needed, and people are told once", async () => {
    const notes: string[] = [];
    await joined("failed");
    await lent.db.query("TRUNCATE control.notice CASCADE");
    await teller(async (_, text) => void notes.push(text))();
    expect(notes).toHaveLength(2);
    expect(notes[0]).toContain("A person is needed. Next: /algobrain run-1");
    expect(new Set(await told())).toEqual(new Set(["algobrain/run-1/followers"]));
  });

  test("is told later when PagerDuty does not answer, and given up when it refuses for good", async () => {
    await joined("succeeded");
    const away = teller(() => Promise.reject(fault.transient("PAGERDUTY_UNREACHABLE", "away")));
    await expect(away()).rejects.toThrow("away");
    const notes: string[] = [];
    const tell = teller(async (incident) => {
      if (incident === "QB") throw fault.data("PAGERDUTY_REJECTED", "no such incident");
      notes.push(incident);
    });
    await tell();
    await tell();
    expect(notes).toEqual(["QC"]);
  });
});

describe("a cause", () => {
  test("that a run of another automation led to is held, and says so", async () => {
    await ask({ ...BACKLOG, name: "other", runbook: "refill" });
    await lent.db.query("UPDATE control.run SET status = 'running', started_at = now()");
    const held = await ask();
    expect(held).toMatchObject({ outcome: "held", reason: "own-doing" });
    expect(await lastAudit()).toMatchObject({
      ...{ action: "run.held", target: "automation:backlog" },
      details: { reason: "own-doing", cause: `incident:Q${incidents}` },
    });
  });

  test("starts nothing that changes anything while all is stopped, and lets automation look", async () => {
    await setStopRow(lent.db, { by: "ann", reason: "too much at once" });
    expect(await ask()).toMatchObject({
      ...{ outcome: "held", reason: "stopped" },
      sentence: expect.stringContaining("ann stopped it all (too much at once)"),
    });
    expect(await ask({ ...BACKLOG, runbook: "look" })).toMatchObject({ outcome: "queued" });
    await lent.db.query("UPDATE control.stop_switch SET active = false");
  });

  test.each<[string, JsonObject, Extra, object]>([
    [
      "fills its parameters",
      { queue: place("alert.labels.kind") },
      { values: { "alert.labels.kind": "score" } },
      { outcome: "queued" },
    ],
    [
      "that lacks what is asked for is held",
      { queue: place("alert.labels.kind") },
      {},
      { reason: "details-missing" },
    ],
    [
      "that says what the runbook does not take is refused",
      { queue: place("alert.labels.kind") },
      { values: { "alert.labels.kind": "--all; rm" } },
      { outcome: "refused", reason: "invalid-parameters" },
    ],
  ])("%s", async (_claim, params, more, expected) => {
    expect(await ask({ ...BACKLOG, params }, more)).toMatchObject(expected);
  });
});

/** A placeholder as people write it. */
function place(name: string): string {
  return `\${${name}}`;
}

describe("trust", () => {
  const view = () => viewTrust(lent.db, registry.find("drain")!, policyOf(EAGER));
  const approvals = (run: Pick<Run, "automation">) =>
    createApprovalsMin({ db: lent.db, policy: () => policyOf(EAGER), registry })({
      ...{ runbook: "drain", contentHash: pinOf("hash of drain") },
      ...run,
    });
  /** Costs no breaker, so that trust is looked at alone. */
  const LIMITS = { breakerAfter: 20 };

  test("that was granted is lost step by step, and a person alone gives it back", async () => {
    expect(await approvals({ automation: "backlog" })).toBe(0);
    await once("failed", LIMITS);
    expect(await view()).toMatchObject({ level: "approve", reason: expect.anything() });
    expect(await told()).toContain("algobrain/automation/drain/trust");
    expect(await approvals({ automation: "backlog" })).toBe(1);
    expect(await approvals({ automation: null })).toBe(0);
    const agreed = await ask(EAGER);
    expect(agreed).toMatchObject({ outcome: "queued", approval: { needed: 1 } });
    await end("run-2", "failed", LIMITS);
    expect(await ask(EAGER)).toMatchObject({ outcome: "held", reason: "not-promoted" });
    const reset = { runbook: "drain", pin: pinOf("hash of drain"), by: "ann", reason: "corrected" };
    await lent.db.transaction((tx) => resetTrust(tx, reset));
    expect(await view()).toMatchObject({ level: "auto" });
    expect(await ask(EAGER)).toMatchObject({ outcome: "queued", approval: null });
  });

  test("of one level less waits for a person with its plan in hand, and says whose", async () => {
    const asks = { ...EAGER, trust: { level: "approve", because: "new here" } } as const;
    const policy = { ...policyOf(asks), environment: "local" };
    await ask(asks);
    const approvalsMin = createApprovalsMin({ db: lent.db, policy: () => policy, registry });
    const parked = await workOn(
      { db: lent.db, registry, policy, other: { approvalsMin } },
      "run-1",
    );
    expect(JSON.stringify(parked)).toContain("1 person with the role operator must agree");
    expect(await readRun(lent.db, "run-1")).toMatchObject({
      ...{ status: "queued", waitingFor: "approval", plan: { changes: ["drain it"] } },
    });
    expect(await ask(asks)).toMatchObject({ outcome: "folded", runId: "run-1" });
  });

  test("is not lost by what never began, nor by a run that the version before would not begin", async () => {
    await ask(EAGER);
    await lent.db.query(
      "UPDATE control.run SET status = 'failed', started_at = now(), ended_at = clock_timestamp()",
    );
    expect(await ask(EAGER)).toMatchObject({ outcome: "queued", approval: null });
  });

  test("is found lost when the run ended without its executor", async () => {
    await ask(EAGER);
    await lent.db.query(
      "UPDATE control.run SET status = 'stalled', started_at = now(), deadline_at = now(), ended_at = clock_timestamp()",
    );
    expect(await ask(EAGER)).toMatchObject({ approval: { needed: 1 } });
    const actions = (await listAudit(lent.db, { limit: 5 })).map(({ action }) => action);
    expect(actions).toContain("runbook.demoted");
  });

  test("is earned by drills that change nothing, whoever forgets to say so", async () => {
    const { access } = policyOf(EAGER);
    const drill = { registry, access, actor: ANN, runbook: "drain", params: {}, isDrill: true };
    const drilled = await submitRun(lent.db, { ...drill, dryRun: false });
    expect(drilled).toMatchObject({ run: { dryRun: true, isDrill: true } });
    await end("run-1", "succeeded");
    expect(await view()).toMatchObject({ reason: "0 verified runs on 0 days, 1 drill" });
  });

  test("is earned by drills and by verified runs on several days, and starts again with another content", async () => {
    const untrusted = { ...EAGER, trust: null };
    expect(await ask(untrusted)).toMatchObject({
      reason: "not-promoted",
      sentence: expect.stringContaining("approve needs 2 more drills, 3 more verified runs"),
    });
    await lent.db.query(
      `INSERT INTO control.run (runbook, params, actor, role, door, dry_run, content_hash, status, is_drill, started_at, ended_at)
       SELECT 'drain', '{}', 'ann', 'operator', 'cli', false, $1, 'succeeded', n > 10, now(), now() - n % 3 * interval '1 day'
       FROM generate_series(1, 13) AS n`,
      [pinOf("hash of drain")],
    );
    expect(await ask(untrusted)).toMatchObject({ outcome: "queued", approval: null });
    const { rows } = await lent.db.query("SELECT level FROM control.promotion");
    expect(rows).toEqual([{ level: "auto" }]);
    const changed = makeRegistry({ ...drain });
    const entry = { ...changed.find("drain")!, contentHash: "another" };
    expect(await viewTrust(lent.db, entry, policyOf(untrusted))).toMatchObject({ level: "manual" });
  });
});

describe("the breaker", () => {
  const LIMITS = { promotion: { ...healing.automation.promotion, demoteAfter: 10 } };

  test("opens after three runs in a row that were not verified, pages, and a person alone closes it", async () => {
    await once("failed", LIMITS);
    await once("succeeded", LIMITS);
    for (let count = 0; count < 3; count += 1) await once("failed", LIMITS);
    expect(await told()).toContain("algobrain/automation/drain/breaker");
    expect(await ask(EAGER, { limits: LIMITS })).toMatchObject({
      reason: "breaker-open",
      sentence: expect.stringContaining("3 runs in a row did not succeed, the last was run-5"),
    });
    const reset = { runbook: "drain", pin: pinOf("hash of drain"), by: "ann", reason: "corrected" };
    await lent.db.transaction((tx) => resetTrust(tx, reset));
    await once("failed", LIMITS);
    expect(await ask(EAGER, { limits: LIMITS })).toMatchObject({ outcome: "queued" });
  });

  test("that a person closes takes its page back: who and why, from each that was paged, once, and pages again when it opens again", async () => {
    const page = "algobrain/automation/drain/breaker";
    const pages = async () =>
      (await listNotices(lent.db, { limit: 50 }))
        .filter(({ dedupKey }) => dedupKey === page)
        .map(({ action, receiver }) => `${action} ${receiver}`)
        .reverse();
    const reset = { runbook: "drain", pin: pinOf("hash of drain"), by: "ann", reason: "corrected" };
    // Nothing is open: nothing is taken back.
    await lent.db.transaction((tx) => resetTrust(tx, reset));
    expect(await pages()).toEqual([]);
    for (let count = 0; count < 3; count += 1) await once("failed", LIMITS);
    const paged = await pages();
    expect(paged.length).toBeGreaterThan(0);
    // Of a runbook whose name ends alike, and of another trouble of this one, nothing is taken back.
    await lent.db.query(
      `INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, details, reason)
       SELECT receiver, replace(dedup_key, 'automation/drain', name), action, severity, source, message, details, reason
       FROM control.notice, (VALUES ('automation/x/automation/drain'), ('automation/drain/drain')) AS other (name) WHERE dedup_key = $1`,
      [page],
    );
    const resets = [1, 2, 3].map(() => lent.db.transaction((tx) => resetTrust(tx, reset)));
    await Promise.all(resets);
    const back = paged.map((one) => one.replace("trigger", "resolve"));
    expect(await pages()).toEqual([...paged, ...back]);
    const resolved = (await listNotices(lent.db, { limit: 50 })).filter(
      ({ action }) => action === "resolve",
    );
    expect(resolved).toHaveLength(back.length);
    expect(resolved[0]).toMatchObject({
      ...{ dedupKey: page, severity: "sev2", details: { by: "ann", reason: "corrected" } },
      message: { tone: "good", title: expect.stringContaining("ann"), text: "corrected" },
    });
    for (let count = 0; count < 3; count += 1) await once("failed", LIMITS);
    expect(await pages()).toEqual([...paged, ...back, ...paged]);
  });
});

test("causes, ends and resets in one moment neither wait for each other in a circle nor exceed a budget", async () => {
  const bounded = { ...EAGER, guard: makeGuard({ perHourMax: 4, perTargetPerHourMax: 4 }) };
  const reset = { runbook: "drain", pin: pinOf("hash of drain"), by: "ann", reason: "again" };
  const round = async () => {
    const asked = await ask(bounded);
    if (asked.outcome === "queued") await end(asked.run.id, "failed", { breakerAfter: 1 });
    await lent.db.transaction((tx) => resetTrust(tx, reset));
  };
  for (let count = 0; count < 5; count += 1)
    await Promise.all([round(), round(), round(), round()]);
  expect((await listRuns(lent.db, 50)).length).toBeLessThanOrEqual(4);
});
