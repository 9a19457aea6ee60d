/**
 * Flow 5 of the design, with the real program: its own samples fire an alert, everyone who must know is told,
 * also when they were away, and samples alone resolve it. A restart in the middle changes nothing.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AlertRule, PolicySet } from "../../src/policy/policy.js";
import { listActiveAlerts, listAlertHistory } from "../../src/store/alerts.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { listNotices } from "../../src/store/notices.js";
import { pauseQueue, resumeQueue } from "../../src/store/pauses.js";
import { listRuns } from "../../src/store/runs.js";
import { type LiveRuntime, startLiveRuntime } from "../support/live-runtime.js";
import { until } from "../support/until.js";

const RULE = "queue-depth-high";
const LIMIT = 5;
const BACKLOG = 20;
const SECOND_MS = 1_000;
const RECEIVERS = ["ops", "pagerduty", "hook"];

let live: LiveRuntime;
beforeAll(async () => {
  live = await startLiveRuntime({ samplesEveryMs: 200, changePolicy: quick });
});
afterAll(() => live?.close());

/** The shipped rule with a limit that a test can reach, and an automation that reads only. */
function quick(policy: PolicySet): PolicySet {
  const pending = { metric: "algobrain.jobs.pending", where: {} };
  const change = (rule: AlertRule): AlertRule => ({
    ...rule,
    ...{ everyMs: SECOND_MS, cooldownMs: 0, groupWaitMs: 0, groupIntervalMs: SECOND_MS },
    signal: { form: "last", of: pending },
    // The strict one: its milder level cannot begin at the same number.
    levels: rule.levels
      .slice(-1)
      .map((level) => ({ ...level, value: LIMIT, forMs: 0, notify: RECEIVERS })),
  });
  const [entry] = policy.automation;
  const automation = {
    ...entry!,
    ...{ name: "look-at-backlog", runbook: "queue-depth", params: {} },
    when: { on: "alert", level: "AR-06" },
  } as const;
  return {
    ...policy,
    alerts: policy.alerts.filter(({ name }) => name === RULE).map(change),
    automation: [automation],
  };
}

const story = async () =>
  (await listAlertHistory(live.db, 200)).reverse().map(({ transition }) => transition);
const notices = async () => (await listNotices(live.db, { limit: 200 })).reverse();
const incidents = () => live.pagerduty.incidents();
const slackPosts = (words: string) =>
  live.slack.messages.filter(({ text }) => text.includes(words) && text.includes(RULE));
const hooked = (action: string) =>
  live.webhook.received.filter(({ body }) => body.action === action && body.source !== undefined);

/** Jobs that wait, because their queue is paused. */
async function pileUp(): Promise<void> {
  await pauseQueue(live.db, { kind: "gc", reason: "test", by: "test", expiresAt: null });
  const job = { kind: "gc", payload: {} };
  await enqueueJobs(
    live.db,
    Array.from({ length: BACKLOG }, () => job),
  );
}

async function drain(): Promise<void> {
  await live.db.query("UPDATE jobs SET status = 'cancelled' WHERE job_type = 'gc'");
  await resumeQueue(live.db, { kind: "gc", by: "test" });
}

test("an alert fires on the runtime's own samples while nobody can be told, and loses no notice", async () => {
  for (const line of Object.values(live.lines)) await line.cut();
  await pileUp();
  await until(async () => (await story()).includes("fired"), "the alert fires");
  const pending = await until(async () => {
    const tried = await notices();
    return (
      tried.length === RECEIVERS.length && tried.every(({ attempts }) => attempts > 0) && tried
    );
  }, "every receiver was tried");
  expect(pending.map(({ receiver, status }) => [receiver, status]).sort()).toEqual(
    RECEIVERS.map((receiver) => [receiver, "pending"]).sort(),
  );
});

test("an automation on the alert ran meanwhile, and resolved nothing", async () => {
  const run = await until(
    async () => (await listRuns(live.db, 9)).find(({ status }) => status === "succeeded"),
    "the runbook ran",
  );
  expect(run).toMatchObject({
    ...{ actor: "policy:look-at-backlog", door: "policy", alertLevel: "AR-06" },
    ...{ runbook: "queue-depth", automation: "look-at-backlog" },
  });
  expect(await listActiveAlerts(live.db)).toMatchObject([{ rule: RULE, phase: "firing" }]);
});

test("the whole runtime is restarted, and the alert still burns and is no news", async () => {
  const [before] = await listActiveAlerts(live.db);
  await live.restart();
  const restarted = new Date();
  await until(async () => {
    const { rows } = await live.db.query<{ at: Date }>(
      "SELECT at FROM control.sign_of_life WHERE name = 'evaluator'",
    );
    return rows[0]!.at > restarted;
  }, "the restarted runtime judges");
  expect(await listActiveAlerts(live.db)).toMatchObject([
    { rule: RULE, phase: "firing", since: before!.since },
  ]);
  expect(await notices()).toHaveLength(RECEIVERS.length);
});

test("when they are back each is told once", async () => {
  for (const line of Object.values(live.lines)) await line.mend();
  await until(
    async () => (await notices()).every(({ status }) => status === "sent"),
    "every notice is sent",
    90_000,
  );
  expect(slackPosts("SEV2")).toHaveLength(1);
  expect(incidents()).toMatchObject([{ status: "triggered", triggers: 1 }]);
  expect(hooked("trigger")).toMatchObject([
    {
      body: {
        ...{ version: 1, severity: "sev2", dedup_key: `algobrain/${RULE}/all` },
        details: { rule: RULE, level: "AR-06" },
      },
    },
  ]);
}, 120_000);

test("samples resolve it, and everyone who was told is told the end, once", async () => {
  await drain();
  await until(async () => (await story()).at(-1) === "resolved", "samples resolve the alert");
  await until(() => incidents()[0]?.status === "resolved", "PagerDuty knows");
  await until(() => hooked("resolve").length > 0 && slackPosts("Resolved").length > 0, "all know");
  expect(await story()).toEqual(["fired", "resolved"]);
  expect((await notices()).map(({ action }) => action).sort()).toEqual([
    ...RECEIVERS.map(() => "resolve"),
    ...RECEIVERS.map(() => "trigger"),
  ]);
  expect([slackPosts("Resolved"), hooked("resolve"), incidents()].map((all) => all.length)).toEqual(
    [1, 1, 1],
  );
  expect(await listRuns(live.db, 9)).toHaveLength(1);
});
