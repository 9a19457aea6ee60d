import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandInWebhook, startStandInWebhook } from "../../src/adapter/stand-in/webhook.js";
import { createWebhookNotifier } from "../../src/adapter/webhook.js";
import type { Receiver } from "../../src/policy/policy.js";
import { faultOf, makeDelivery, never } from "./delivery.js";

let standIn: StandInWebhook;
const notifier = createWebhookNotifier({ timeoutMs: 1_000 });

beforeEach(async () => {
  standIn = await startStandInWebhook();
});
afterEach(() => standIn.close());

const receiver = (path = "/alerts"): Receiver => ({
  name: "hook",
  kind: "webhook",
  url: `${standIn.url}${path}`,
  perMinuteMax: 12,
  triesMax: null,
  sendResolved: true,
});
const deliver = () => notifier.deliver(makeDelivery({ receiver: receiver() }), never());

test("a notice arrives as one JSON body", async () => {
  expect(await deliver()).toEqual({ reference: null });
  expect(standIn.received).toMatchObject([
    {
      path: "/alerts",
      body: {
        version: 1,
        dedup_key: "algobrain/queue-depth-high/all",
        action: "trigger",
        severity: "sev2",
        title: "SEV2 Queue depth high",
        details: { rule: "queue-depth-high", value: 1523 },
      },
    },
  ]);
});

describe("what goes wrong has a kind", () => {
  test.each([
    [500, {}, { kind: "transient", code: "WEBHOOK_FAILED" }],
    [408, {}, { kind: "transient", code: "WEBHOOK_FAILED" }],
    [
      429,
      { "retry-after": "3" },
      { kind: "waiting", code: "WEBHOOK_RATE_LIMITED", retryAfterMs: 3_000 },
    ],
    [
      429,
      { "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" },
      { kind: "waiting", retryAfterMs: 30_000 },
    ],
    [429, {}, { kind: "waiting", retryAfterMs: 30_000 }],
    [429, { "retry-after": "3" }, { asksAll: true }],
    [429, { "ratelimit-reset": "9" }, { retryAfterMs: 9_000, asksAll: true }],
    // As GitHub says it, with 403: its secondary limit, and its primary one.
    [403, { "retry-after": "60" }, { code: "WEBHOOK_RATE_LIMITED", retryAfterMs: 60_000 }],
    [
      403,
      {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1792567710",
        date: "Wed, 21 Oct 2026 07:28:00 GMT",
      },
      { kind: "waiting", code: "WEBHOOK_RATE_LIMITED", retryAfterMs: 30_000, asksAll: true },
    ],
    // Limits stand in every answer: what remains is no reason to wait.
    [
      403,
      { "x-ratelimit-remaining": "7", "x-ratelimit-reset": "1792567710", "ratelimit-reset": "9" },
      { code: "WEBHOOK_UNAUTHORIZED", asksAll: false },
    ],
    [503, { "retry-after": "20" }, { kind: "transient", retryAfterMs: 20_000, asksAll: true }],
    [401, {}, { kind: "waiting", code: "WEBHOOK_UNAUTHORIZED" }],
    [400, {}, { kind: "data", code: "WEBHOOK_REFUSED" }],
  ])("%d with %j", async (status, headers, expected) => {
    standIn.misbehave({ kind: "answer", answer: { status, headers, body: {} } });
    expect(await faultOf(deliver())).toMatchObject(expected);
  });

  test("a redirect is not followed: it would take the notice to somebody else", async () => {
    const headers = { location: `${standIn.url}/elsewhere` };
    standIn.misbehave({ kind: "answer", answer: { status: 302, headers, body: {} } });
    expect(await faultOf(deliver())).toMatchObject({ kind: "data", code: "WEBHOOK_REDIRECTED" });
    expect(standIn.received).toEqual([]);
  });

  test("an endless answer is not read to its end", async () => {
    const body = "x".repeat(2_000_000);
    standIn.misbehave({ kind: "answer", answer: { status: 200, body } });
    expect(await faultOf(deliver())).toMatchObject({
      kind: "data",
      code: "WEBHOOK_ANSWER_TOO_LARGE",
    });
  });

  test("no answer in time is transient", async () => {
    standIn.misbehave({ kind: "silence" });
    const hasty = createWebhookNotifier({ timeoutMs: 50 });
    const delivery = makeDelivery({ receiver: receiver() });
    expect(await faultOf(hasty.deliver(delivery, never()))).toMatchObject({
      kind: "transient",
      code: "WEBHOOK_TIMED_OUT",
    });
  });

  test("nobody there is transient", async () => {
    const gone = receiver();
    await standIn.close();
    const delivery = makeDelivery({ receiver: gone });
    expect(await faultOf(notifier.deliver(delivery, never()))).toMatchObject({
      kind: "transient",
      code: "WEBHOOK_UNREACHABLE",
    });
    standIn = await startStandInWebhook();
  });
});
