/**
 * Flow 3 of the design, with the real program: an incident's webhook is verified, kept once, judged by the
 * guards of automation, and runs its runbook; what happened stands as notes on the incident.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StandInIncident } from "../../src/adapter/stand-in/pagerduty-incidents.js";
import { hmacSha256 } from "../../src/base/secret.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { listAudit } from "../../src/store/audit.js";
import { listRuns } from "../../src/store/runs.js";
import { type LiveRuntime, startLiveRuntime } from "../support/live-runtime.js";
import { makeAutomation, makeGuard } from "../support/make-policy.js";
import { until } from "../support/until.js";

/** Of the one automation in these tests. */
const BUDGET = 3;

let live: LiveRuntime;
beforeAll(async () => {
  live = await startLiveRuntime({ changePolicy: withBudget });
});
afterAll(() => live?.close());

/** Each incident may start a run at once, three times an hour; the runbook reads only. */
function withBudget(policy: PolicySet): PolicySet {
  const [entry] = policy.automation;
  const guard = makeGuard({ perHourMax: BUDGET });
  const backlog = { ...entry!, runbook: "queue-depth", params: {}, guard };
  const limits = { ...policy.healing.automation, globalPerHourMax: 1_000 };
  const healing = { ...policy.healing, automation: limits };
  return { ...policy, healing, automation: [backlog, OF_THE_LOAD] };
}

/** What comes while a run is at work, or soon after, joins it. */
const OF_THE_LOAD = makeAutomation({
  name: "load",
  when: { on: "incident", titleIncludes: "LOAD", dedupKeyPrefix: null },
  ...{ runbook: "inspect-job", params: { job: `\${incident.key}` } },
  guard: makeGuard({ foldMs: 600_000 }),
});

/** What monitoring does: an event with our dedup key opens an incident, whose webhook comes to us. */
async function openIncident(name: string, title = "SEV2 queue-depth-high: more than 1000 wait") {
  const key = `algobrain/queue-depth-high/${name}`;
  await sendEvent({
    event_action: "trigger",
    dedup_key: key,
    payload: { summary: title, source: "test", severity: "error" },
  });
  return until(() => incidentOf(key), "the incident is open");
}

async function sendEvent(event: object): Promise<void> {
  const reply = await fetch(`${live.pagerduty.url}/v2/enqueue`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ routing_key: live.secrets.pagerdutyRouting, ...event }),
  });
  expect(reply.status).toBe(202);
}

const incidentOf = (key: string) =>
  live.pagerduty.incidents().find(({ incidentKey }) => incidentKey === key);
const notesOf = ({ id }: StandInIncident) =>
  live.pagerduty
    .incidents()
    .find((incident) => incident.id === id)!
    .notes.map(({ content }) => content);
const runsFor = async ({ id }: { id: string }) =>
  (await listRuns(live.db, 200)).filter(({ incidentId }) => incidentId === id);
const noteOn = (incident: StandInIncident, words: string) =>
  until(() => notesOf(incident).find((note) => note.includes(words)), `a note says ${words}`);

interface Posting {
  readonly body?: string;
  readonly secrets?: readonly string[];
  readonly webhookId?: string;
  readonly headers?: Record<string, string>;
}

/** A webhook that the stand-in did not send: signed with these secrets, in this order. */
async function post(event: object, posting: Posting = {}): Promise<number> {
  const body = posting.body ?? JSON.stringify({ event });
  const secrets = posting.secrets ?? [live.secrets.pagerdutyWebhook[0]];
  const signatures = secrets.map((secret) => `v1=${hmacSha256(secret, body).toString("hex")}`);
  const reply = await live.ask(null, "/webhooks/pagerduty", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-webhook-id": posting.webhookId ?? randomUUID(),
      "x-pagerduty-signature": signatures.join(", "),
      ...posting.headers,
    },
  });
  await reply.text();
  return reply.status;
}

const eventAbout = (type: string, incidentId: string) => ({
  ...{ id: randomUUID(), event_type: type, resource_type: "incident", agent: null },
  data: {
    ...{ id: incidentId, type: "incident", title: "SEV2 queue-depth-high: more than 1000 wait" },
    incident_key: `algobrain/queue-depth-high/${incidentId}`,
  },
});
const inboundOf = async (incidentId: string) => {
  const { rows } = await live.db.query<{ event_type: string; status: string; outcome: string }>(
    "SELECT event_type, status, outcome FROM control.inbound WHERE body->>'incidentId' = $1 ORDER BY id",
    [incidentId],
  );
  return rows;
};

test("an incident starts its runbook once, and its notes tell start and outcome", async () => {
  const incident = await openIncident("first");
  await noteOn(incident, "succeeded");
  const [run, ...more] = await runsFor(incident);
  expect(run).toMatchObject({
    ...{ runbook: "queue-depth", actor: "service:pagerduty", door: "pagerduty" },
    ...{ status: "succeeded", automation: "queue-backlog-incident" },
  });
  expect(more).toEqual([]);
  expect(notesOf(incident)[0]).toContain("started by queue-backlog-incident");
  expect(notesOf(incident).join()).toContain("resolved by its samples alone");
  // A page that a machine silenced is a page that nobody sees.
  expect(incidentOf(incident.incidentKey)).toMatchObject({ status: "triggered" });
});

test("the same delivery again changes nothing, and is answered 2xx", async () => {
  const incident = live.pagerduty.incidents()[0]!;
  const delivery = live.pagerduty.deliveries.find(
    ({ eventType, incidentId }) => eventType === "incident.triggered" && incidentId === incident.id,
  )!;
  const attempts = delivery.attempts;
  live.pagerduty.redeliver(delivery.webhookId);
  await until(
    () =>
      live.pagerduty.deliveries.find(({ webhookId }) => webhookId === delivery.webhookId)!
        .attempts > attempts,
    "it was delivered again",
  );
  // The same incident under another delivery id: a second subscription, or a proxy that lost the header.
  expect(await post(eventAbout("incident.triggered", incident.id))).toBe(202);
  await until(
    async () => (await inboundOf(incident.id)).at(-1)?.status === "ignored",
    "it is judged",
  );
  expect(await runsFor(incident)).toHaveLength(1);
});

test("our own notes come back as events and start nothing", async () => {
  const incident = live.pagerduty.incidents()[0]!;
  await until(
    () =>
      live.pagerduty.deliveries.filter(
        ({ eventType, status }) => eventType === "incident.annotated" && status === "delivered",
      ).length >= 2,
    "the notes came back",
  );
  const { rows } = await live.db.query(
    "SELECT DISTINCT status FROM control.inbound WHERE event_type = 'incident.annotated'",
  );
  expect(rows).toEqual([{ status: "ignored" }]);
  expect(notesOf(incident)).toHaveLength(2);
});

test("a resolve that overtakes its trigger leaves nothing to heal: no run", async () => {
  expect(await post(eventAbout("incident.resolved", "QOVERTAKEN"))).toBe(202);
  expect(await post(eventAbout("incident.triggered", "QOVERTAKEN"))).toBe(202);
  const settled = await until(async () => {
    const rows = await inboundOf("QOVERTAKEN");
    return rows.every(({ status }) => status !== "received") && rows;
  }, "both are judged");
  expect(settled).toMatchObject([
    { event_type: "incident.resolved", status: "ignored" },
    { event_type: "incident.triggered", status: "ignored" },
  ]);
  expect(settled[1]?.outcome).toContain("resolved");
  expect(await runsFor({ id: "QOVERTAKEN" })).toEqual([]);
});

test("one of several signatures is enough while a secret is rotated, by either secret", async () => {
  const [newer, older] = live.secrets.pagerdutyWebhook;
  for (const secrets of [[newer], [older], ["a stranger's", older], [newer, older]]) {
    expect(await post({ event_type: "pagey.ping" }, { secrets })).toBe(202);
  }
  expect(await post({ event_type: "pagey.ping" }, { secrets: ["a stranger's"] })).toBe(401);
});

test("what is authentic and unwanted is 2xx, so PagerDuty never turns us off", async () => {
  const [secret] = live.secrets.pagerdutyWebhook;
  const signed = (body: string, headers = {}) => post({}, { body, headers, secrets: [secret] });
  for (const body of [
    "",
    "{",
    "null",
    "[]",
    '"text"',
    '{"event":null}',
    '{"event":{}}',
    "\u0000",
  ]) {
    expect([body, await signed(body)]).toEqual([body, 202]);
  }
  const strange = [
    { event_type: "incident.made_up_later", data: { id: "Q1" } },
    { event_type: "incident.triggered", data: null },
    { event_type: "incident.triggered", data: { id: { deep: 1 }, title: 7 } },
    { event_type: "incident.triggered", data: { id: "Q\u0000\uD800", title: "\u0000" } },
    { event_type: "x".repeat(5_000), id: "y".repeat(5_000), data: {} },
  ];
  for (const event of strange) expect([event, await post(event)]).toEqual([event, 202]);
  expect(await signed("{}", { "content-type": "text/plain" })).toBe(202);
  expect(await signed("{}", { "content-type": "application/x-www-form-urlencoded" })).toBe(202);
  expect(await post({ event_type: "pagey.ping" }, { webhookId: "w".repeat(5_000) })).toBe(202);
  await openIncident("unwanted", "Somebody else's trouble");
  await until(
    () => live.pagerduty.deliveries.every(({ status }) => status === "delivered"),
    "every delivery was taken",
  );
  expect(live.pagerduty.webhookEnabled).toBe(true);
});

test("with PagerDuty away the runbook runs, and its notes follow", async () => {
  const incident = await openIncident("away");
  await live.lines.pagerduty.cut();
  await until(
    async () => (await runsFor(incident))[0]?.status === "succeeded",
    "the run ended while nobody could be told",
  );
  await live.lines.pagerduty.mend();
  await noteOn(incident, "succeeded");
  expect(await runsFor(incident)).toHaveLength(1);
}, 60_000);

test("a spent budget runs nothing more, says so on the incident, and asks for a person", async () => {
  for (let n = 0; (await listRuns(live.db, 99)).length < BUDGET; n++) {
    await noteOn(await openIncident(`spend-${n}`), "succeeded");
  }
  const incident = await openIncident("one-too-many");
  const note = await noteOn(incident, "A person is needed");
  expect(note).toContain(`its budget is ${BUDGET}`);
  expect(await runsFor(incident)).toEqual([]);
  const [held] = (await listAudit(live.db, { limit: 20 })).filter(
    ({ action }) => action === "run.held",
  );
  expect(held).toMatchObject({ details: { reason: "budget-spent", incident_id: incident.id } });
});

/** Deterministic, so that a failure comes again: a small linear congruential generator. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const mixed = [...items];
  let state = seed;
  for (let at = mixed.length - 1; at > 0; at--) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = state % (at + 1);
    [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
  }
  return mixed;
}

const INCIDENTS = 40;
const LOAD = { deliveries: 400, atOnce: 16 };
const KINDS = [
  ...["triggered", "triggered", "acknowledged", "annotated", "escalated", "priority_updated"],
  "reassigned",
].map((kind) => `incident.${kind}`);

/** Of each incident of the load: runs that it started, and runs of others that it joined. */
async function coverage() {
  const { rows } = await live.db.query<{ runs: number; joined: number; settled: boolean }>(
    `SELECT incident, bool_and(status <> 'received') AND coalesce((SELECT bool_and(run.ended_at IS NOT NULL)
         FROM control.run AS run WHERE run.automation = 'load'), false) AS settled,
       (SELECT count(*)::int FROM control.run AS run WHERE run.incident_id = incident) AS runs,
       (SELECT count(*)::int FROM control.run_follower AS one WHERE one.incident_id = incident) AS joined
     FROM (SELECT body->>'incidentId' AS incident, status FROM control.inbound
           WHERE delivery_id LIKE 'load-%' AND event_type = 'incident.triggered') AS kept
     GROUP BY incident`,
  );
  return rows;
}

test("400 deliveries, three of ten for the second time and out of order: one run for each incident", async () => {
  const { rows: jobs } = await live.db.query<{ id: string }>(
    `INSERT INTO jobs (job_type, status, completed_at) SELECT 'gc', 'cancelled', now()
     FROM generate_series(1, ${INCIDENTS}) RETURNING id`,
  );
  const events = jobs.flatMap(({ id }, n) => {
    // Of two subscriptions, so the same event twice under two delivery ids.
    const triggered = eventAbout("incident.triggered", `QLOAD${n}`);
    return KINDS.map((kind, at) => ({
      webhookId: `load-${n}-${at}`,
      event: {
        ...(kind === "incident.triggered" ? triggered : eventAbout(kind, `QLOAD${n}`)),
        data: { id: `QLOAD${n}`, title: "LOAD of the test", incident_key: id },
      },
    }));
  });
  const again = events.slice(0, LOAD.deliveries - events.length);
  const queue = shuffled([...events, ...again], 7);
  expect(queue).toHaveLength(LOAD.deliveries);
  const statuses: number[] = [];
  const deliver = async () => {
    for (let next = queue.pop(); next; next = queue.pop())
      statuses.push(await post(next.event, { webhookId: next.webhookId }));
  };
  await Promise.all(Array.from({ length: LOAD.atOnce }, deliver));
  expect(new Set(statuses)).toEqual(new Set([202]));
  await until(
    async () => (await coverage()).every(({ settled }) => settled),
    "every incident is settled, and its run has ended",
    60_000,
  );
  const covered = await coverage();
  expect(covered).toHaveLength(INCIDENTS);
  // A run of its own, or the one that was at work at that moment: never two, never none.
  expect(new Set(covered.map(({ runs, joined }) => runs + joined))).toEqual(new Set([1]));
  const { rows } = await live.db.query<{ kept: number; open: number }>(
    `SELECT count(*)::int AS kept, count(*) FILTER (WHERE status = 'received')::int AS open
     FROM control.inbound WHERE delivery_id LIKE 'load-%'`,
  );
  expect(rows).toEqual([{ kept: events.length, open: 0 }]);
}, 90_000);
