import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPagerDutyIncidents, createPagerDutyNotifier } from "../../src/adapter/pagerduty.js";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { type StandInWebhook, startStandInWebhook } from "../../src/adapter/stand-in/webhook.js";
import { hmacSha256 } from "../../src/base/secret.js";
import { until } from "../support/until.js";
import { faultOf, makeDelivery, never, SLACK_RECEIVER } from "./delivery.js";

const ROUTING_KEY = "0123456789abcdef0123456789abcdef";
const TOKEN = "user-token";
const SECRET = "webhook-secret";
const TITLE = "SEV2 Queue depth high";

let standIn: StandInPagerDuty;
let door: StandInWebhook;

beforeEach(async () => {
  door = await startStandInWebhook();
  standIn = await startStandInPagerDuty({
    routingKey: ROUTING_KEY,
    token: TOKEN,
    webhook: { url: `${door.url}/webhooks/pagerduty`, secret: SECRET },
    retryEveryMs: 10,
  });
});
afterEach(async () => {
  await standIn.close();
  await door.close();
});

const notifier = (overrides: { routingKey?: string; timeoutMs?: number } = {}) =>
  createPagerDutyNotifier({
    routingKey: ROUTING_KEY,
    eventsUrl: standIn.url,
    timeoutMs: 2_000,
    ...overrides,
  });
const incidents = (overrides: { token?: string; from?: string; timeoutMs?: number } = {}) =>
  createPagerDutyIncidents({ token: TOKEN, apiUrl: standIn.url, timeoutMs: 2_000, ...overrides });
const trigger = (overrides = {}) => notifier().deliver(makeDelivery(overrides), never());
const resolve = () => trigger({ action: "resolve" });

async function openIncident(): Promise<string> {
  await trigger();
  return standIn.incidents()[0]!.id;
}

describe("events", () => {
  test("a trigger opens an incident; the same trouble again does not open a second", async () => {
    expect(await trigger()).toEqual({ reference: "algobrain/queue-depth-high/all" });
    await trigger();
    expect(standIn.incidents()).toMatchObject([
      {
        incidentKey: "algobrain/queue-depth-high/all",
        title: TITLE,
        severity: "error",
        status: "triggered",
        triggers: 2,
      },
    ]);
  });

  test("a resolve ends it, and the next trigger opens a new one", async () => {
    await trigger();
    await resolve();
    await trigger();
    expect(standIn.incidents().map(({ status }) => status)).toEqual(["resolved", "triggered"]);
  });

  test("a resolve says what ended it", async () => {
    await trigger();
    const message = { tone: "good", title: "ann has looked", text: "corrected" } as const;
    await trigger({ action: "resolve", message, details: { by: "ann" } });
    expect(standIn.events.at(-1)).toMatchObject({
      event_action: "resolve",
      payload: { summary: "ann has looked", custom_details: { by: "ann" } },
    });
  });

  test.each([
    ["sev1", "critical"],
    ["sev2", "error"],
    ["sev3", "warning"],
    ["sev4", "info"],
  ] as const)("%s is %s to PagerDuty", async (severity, expected) => {
    await trigger({ severity });
    expect(standIn.incidents()[0]?.severity).toBe(expected);
  });

  test("the facts go along, and a title longer than PagerDuty takes is cut", async () => {
    const message = { tone: "bad" as const, title: "x".repeat(5_000) };
    await trigger({ message });
    expect(standIn.events[0]?.payload).toMatchObject({
      summary: "x".repeat(1_024),
      source: "algobrain/queue-depth-high",
      custom_details: { rule: "queue-depth-high", value: 1523 },
    });
  });

  test.each([
    [400, { kind: "data", code: "PAGERDUTY_REFUSED" }],
    [429, { kind: "waiting", code: "PAGERDUTY_RATE_LIMITED", retryAfterMs: 30_000 }],
    [500, { kind: "transient", code: "PAGERDUTY_FAILED" }],
    [403, { kind: "waiting", code: "PAGERDUTY_UNAUTHORIZED" }],
  ])("%d has a kind", async (status, expected) => {
    standIn.misbehave({ kind: "answer", answer: { status, body: {} } });
    expect(await faultOf(trigger())).toMatchObject(expected);
  });

  test("a wrong routing key waits for a person: the page is not lost", async () => {
    const wrong = notifier({ routingKey: "f".repeat(32) });
    expect(await faultOf(wrong.deliver(makeDelivery(), never()))).toMatchObject({
      kind: "waiting",
      code: "PAGERDUTY_UNAUTHORIZED",
    });
  });

  test("no answer in time is transient", async () => {
    standIn.misbehave({ kind: "silence" });
    const hasty = notifier({ timeoutMs: 50 });
    expect(await faultOf(hasty.deliver(makeDelivery(), never()))).toMatchObject({
      kind: "transient",
      code: "PAGERDUTY_TIMED_OUT",
    });
  });

  test("another system's receiver is refused before any call", async () => {
    expect(await faultOf(trigger({ receiver: SLACK_RECEIVER }))).toMatchObject({ kind: "data" });
    expect(standIn.events).toEqual([]);
  });
});

describe("what only PagerDuty knows of an incident", () => {
  test("its alerts carry the details that its webhook does not", async () => {
    const id = await openIncident();
    expect(await incidents().alerts(id, never())).toMatchObject([
      { summary: TITLE, severity: "error", details: { rule: "queue-depth-high", value: 1523 } },
    ]);
  });

  test("an alert in another form says nothing, and harms nothing", async () => {
    const id = await openIncident();
    const body = { alerts: [null, 7, { body: { details: "text" } }, { summary: 3 }] };
    standIn.misbehave({ kind: "answer", answer: { status: 200, body } });
    expect(await incidents().alerts(id, never())).toEqual([
      { summary: "", severity: null, details: {} },
      { summary: "", severity: null, details: {} },
    ]);
  });

  test("whether it is over", async () => {
    const id = await openIncident();
    expect(await incidents().status(id, never())).toBe("triggered");
    await resolve();
    expect(await incidents().status(id, never())).toBe("resolved");
    const body = { incident: { status: "merged some day" } };
    standIn.misbehave({ kind: "answer", answer: { status: 200, body } });
    expect(await incidents().status(id, never())).toBe("unknown");
  });

  test("an id from outside stays one part of the path", async () => {
    expect(await faultOf(incidents().status("../users/me", never()))).toMatchObject({
      kind: "data",
    });
    expect(standIn.asked).toEqual(["GET /incidents/..%2Fusers%2Fme"]);
  });

  test("nothing of ours acknowledges, resolves or re-opens: we read, and write notes", async () => {
    const id = await openIncident();
    const client = incidents();
    await client.alerts(id, never());
    await client.status(id, never());
    await client.addNote(id, "done", "run-1", never());
    expect(new Set(standIn.asked.filter((it) => !it.startsWith("GET ")))).toEqual(
      new Set([`POST /incidents/${id}/notes`]),
    );
    expect(standIn.incidents()[0]?.status).toBe("triggered");
  });
});

describe("notes on incidents, by the real client library", () => {
  const notes = () => standIn.incidents()[0]!.notes.map(({ content }) => content);

  test("a note is written in the name of the token's user", async () => {
    await incidents().addNote(await openIncident(), "queue paused", "run-1", never());
    expect(standIn.incidents()[0]?.notes).toMatchObject([
      { content: "queue paused\n\nrun-1", author: "stand-in@example.com" },
    ]);
  });

  test("a repeat with the same marker adds nothing", async () => {
    const id = await openIncident();
    await incidents().addNote(id, "run-1: done", "run-1", never());
    await incidents().addNote(id, "run-1: done, told again", "run-1", never());
    await incidents().addNote(id, "run-2: done", "run-2", never());
    expect(notes()).toEqual(["run-1: done", "run-2: done"]);
  });

  test("a note whose answer was lost is found again and not repeated", async () => {
    const id = await openIncident();
    const client = incidents({ from: "stand-in@example.com" });
    const honest = { kind: "answer", answer: { status: 200, body: { notes: [] } } } as const;
    standIn.misbehave(honest, { kind: "drop-answer" });
    expect(await faultOf(client.addNote(id, "run-1", "run-1", never()))).toMatchObject({
      kind: "transient",
    });
    await client.addNote(id, "run-1", "run-1", never());
    expect(notes()).toEqual(["run-1"]);
  });

  test("an author who is nobody is refused", async () => {
    const client = incidents({ from: "nobody@example.com" });
    expect(await faultOf(client.addNote(await openIncident(), "x", "m", never()))).toMatchObject({
      kind: "data",
    });
  });

  test("a token that belongs to no user waits for a person", async () => {
    const id = await openIncident();
    standIn.misbehave(
      { kind: "answer", answer: { status: 200, body: { notes: [] } } },
      { kind: "answer", answer: { status: 400, body: { error: {} } } },
    );
    expect(await faultOf(incidents().addNote(id, "x", "m", never()))).toMatchObject({
      kind: "waiting",
      code: "PAGERDUTY_AUTHOR_UNKNOWN",
    });
  });

  const answers = (status: number, body: unknown, times = 1) =>
    standIn.misbehave(
      ...Array.from({ length: times }, () => ({
        kind: "answer" as const,
        answer: { status, body, headers: { "ratelimit-reset": "9" } },
      })),
    );
  const add = (overrides = {}) => incidents(overrides).addNote("Q1", "x", "m", never());

  test("404 is data although the library does not reject", async () => {
    expect(await faultOf(add())).toMatchObject({ kind: "data", details: { status: 404 } });
  });

  test("401 waits for a person", async () => {
    expect(await faultOf(add({ token: "wrong" }))).toMatchObject({
      kind: "waiting",
      code: "PAGERDUTY_UNAUTHORIZED",
    });
  });

  test("500 with a page of HTML is transient, not an unreadable rejection", async () => {
    answers(500, "<html>");
    expect(await faultOf(add())).toMatchObject({ kind: "transient", code: "PAGERDUTY_FAILED" });
  });

  test("200 with something else is transient", async () => {
    answers(200, "<html>");
    expect(await faultOf(add())).toMatchObject({ code: "PAGERDUTY_ANSWER_INVALID" });
  });

  test("429 waits as long as PagerDuty says, not 20 s three times", async () => {
    answers(429, {}, 4);
    expect(await faultOf(add())).toMatchObject({ kind: "waiting", retryAfterMs: 9_000 });
  });

  test("no answer in time is transient, and the call is really given up", async () => {
    standIn.misbehave({ kind: "silence" });
    expect(await faultOf(add({ timeoutMs: 50 }))).toMatchObject({
      kind: "transient",
      code: "PAGERDUTY_TIMED_OUT",
    });
  });
});

describe("webhooks of the stand-in", () => {
  const arrived = (count: number) =>
    until(() => door.received.length >= count && door.received, `${count} webhooks`);
  const types = () =>
    door.received.map(({ body }) => (body.event as { event_type: string }).event_type);

  test("are signed over the raw body and carry the incident", async () => {
    await trigger();
    const [webhook] = await arrived(1);
    const body = standIn.deliveries[0]!.body;
    expect(webhook?.headers["x-pagerduty-signature"]).toBe(
      `v1=${hmacSha256(SECRET, body).toString("hex")}`,
    );
    expect(webhook?.body).toMatchObject({
      event: {
        event_type: "incident.triggered",
        agent: null,
        data: { incident_key: "algobrain/queue-depth-high/all", status: "triggered", title: TITLE },
      },
    });
  });

  test("are repeated after a 500 with the same id, and hold back what comes behind", async () => {
    door.misbehave({ kind: "answer", answer: { status: 500, body: {} } });
    await trigger();
    await resolve();
    await arrived(2);
    expect(types()).toEqual(["incident.triggered", "incident.resolved"]);
    expect(standIn.deliveries[0]).toMatchObject({ attempts: 2, status: "delivered" });
  });

  test("may be delivered twice under one id", async () => {
    await trigger();
    await arrived(1);
    standIn.redeliver(standIn.deliveries[0]!.webhookId);
    const [first, second] = await arrived(2);
    expect(first?.headers["x-webhook-id"]).toBe(second?.headers["x-webhook-id"]);
  });

  test("our own notes come back", async () => {
    await incidents().addNote(await openIncident(), "x", "m", never());
    await arrived(2);
    expect(types()).toEqual(["incident.triggered", "incident.annotated"]);
  });

  test("three refusals in a row switch the subscription off, until it is set again", async () => {
    const refusal = { kind: "answer", answer: { status: 401, body: {} } } as const;
    door.misbehave(refusal, refusal, refusal);
    for (const n of [1, 2, 3]) await trigger({ dedupKey: `k${n}` });
    await until(() => !standIn.webhookEnabled, "the subscription is off");
    await trigger({ dedupKey: "lost" });
    standIn.subscribe({ url: `${door.url}/again`, secret: SECRET });
    await trigger({ dedupKey: "k5" });
    await arrived(1);
    expect(door.received).toHaveLength(1);
    expect(door.received[0]?.path).toBe("/again");
  });
});
