import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSentry } from "../../src/adapter/sentry.js";
import {
  type Loopback,
  type LoopbackRequest,
  startLoopback,
} from "../../src/adapter/stand-in/loopback.js";
import type { ErrorSink, ReportedError } from "../../src/alert/port.js";

const START = new Date("2026-11-22T03:00:00Z");
let server: Loopback;
let requests: LoopbackRequest[];
let answer: { status: number; headers?: Record<string, string>; body: unknown };
beforeEach(async () => {
  requests = [];
  answer = { status: 200, body: {} };
  server = await startLoopback(async (request) => {
    requests.push(request);
    return answer;
  });
});
afterEach(() => server.close());

function sinkOf(now: () => Date = () => START) {
  const lost: { count: number; error: string }[] = [];
  const dsn = `${server.url.replace("http://", "http://public-key@")}/prefix/42`;
  const sink = createSentry({
    ...{ dsn, release: "abc123", environment: "production", now },
    onLost: (one) => lost.push(one),
  });
  return { sink, lost };
}

const error = (overrides: Partial<ReportedError> = {}): ReportedError => ({
  event: "job.failed",
  error: "kaputt: Ümlaut",
  code: "GIT_FAILED",
  fields: { job_id: "job-7" },
  ...overrides,
});
const flush = (sink: ErrorSink) => sink.flush(AbortSignal.timeout(2_000));

test("an error is one envelope of three lines, whose length is counted in bytes", async () => {
  const { sink, lost } = sinkOf();
  sink.report(error());
  await flush(sink);
  const [request] = requests;
  expect(request).toMatchObject({ method: "POST", path: "/prefix/api/42/envelope/" });
  expect(request!.headers["x-sentry-auth"]).toBe(
    "Sentry sentry_version=7, sentry_key=public-key, sentry_client=algobrain/0.1",
  );
  const [header, item, event] = request!.body.split("\n");
  expect(JSON.parse(item!)).toEqual({ type: "event", length: Buffer.byteLength(event!) });
  const id = JSON.parse(header!).event_id;
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(JSON.parse(event!)).toMatchObject({
    ...{ event_id: id, timestamp: START.toISOString(), platform: "node", level: "error" },
    ...{ logger: "job.failed", environment: "production", release: "abc123" },
    exception: { values: [{ type: "GIT_FAILED", value: "kaputt: Ümlaut" }] },
    tags: { event: "job.failed", code: "GIT_FAILED" },
    extra: { job_id: "job-7" },
  });
  expect(lost).toEqual([]);
});

describe("a flood", () => {
  test("of one kind is ten a minute, and another kind is heard all the same", async () => {
    let nowMs = START.getTime();
    const { sink } = sinkOf(() => new Date(nowMs));
    for (let i = 0; i < 50; i += 1) sink.report(error());
    sink.report(error({ code: "OTHER" }));
    await flush(sink);
    expect(requests).toHaveLength(11);
    nowMs += 60_000;
    sink.report(error());
    await flush(sink);
    expect(requests).toHaveLength(12);
  });

  test("of many kinds is bounded, and what is lost is told once", async () => {
    const { sink, lost } = sinkOf();
    for (let i = 0; i < 300; i += 1) sink.report(error({ code: `C${i}` }));
    await flush(sink);
    expect(requests.length).toBeLessThanOrEqual(101);
    expect(lost).toEqual([{ count: 1, error: "the queue is full" }]);
  });
});

describe("Sentry away", () => {
  test("loses the error, holds up nobody, and is told once a minute", async () => {
    const { sink, lost } = sinkOf();
    answer = { status: 500, body: {} };
    sink.report(error());
    sink.report(error());
    await flush(sink);
    expect(lost).toHaveLength(1);
  });

  test("asks for quiet, and gets it until then", async () => {
    let nowMs = START.getTime();
    const { sink } = sinkOf(() => new Date(nowMs));
    answer = { status: 429, headers: { "retry-after": "30" }, body: {} };
    sink.report(error());
    await flush(sink);
    answer = { status: 200, body: {} };
    sink.report(error({ code: "SECOND" }));
    await flush(sink);
    expect(requests).toHaveLength(1);
    nowMs += 31_000;
    sink.report(error({ code: "THIRD" }));
    await flush(sink);
    expect(requests).toHaveLength(2);
  });

  test("that never answers ends with the flush's signal", async () => {
    const { sink } = sinkOf();
    server.misbehave({ kind: "silence" });
    sink.report(error());
    await sink.flush(AbortSignal.timeout(50));
  });
});
