/** The alerts as shipped, on the boundary and to both sides of it. */
import { describe, expect, test } from "vitest";
import type { Series } from "../../src/alert/series.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { AlertRule } from "../../src/policy/policy.js";
import { SHIPPED } from "../policy/shipped.js";
import { MINUTE, makeSeries, replay, SECOND, START, samples } from "./replay.js";

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok)
  throw new Error("the shipped policies are invalid: see test/policy/shipped.test.ts");
const policy = checked.value;

function ruleOf(level: string): AlertRule {
  const rule = policy.alerts.find(({ levels }) => levels.some(({ id }) => id === level));
  if (!rule) throw new Error(`no shipped rule has the level ${level}`);
  return rule;
}

/** When it fires, in minutes since the first sample; null when it does not within an hour. */
function firesAfter(level: string, series: readonly Series[]): number | null {
  const rule = ruleOf(level);
  const { transitions } = replay({ rule, series, metrics: policy.metrics, toMs: 60 * MINUTE });
  // A milder level of the same rule may have fired before.
  const fired = transitions.find(
    (one) => one.level === level && (one.kind === "fired" || one.kind === "upgraded"),
  );
  return fired ? (fired.at - START) / MINUTE : null;
}

/** A value for so many minutes, and a harmless one for the rest of the hour. */
const held = (metric: string, value: number, minutes: number, harmless: number): Series =>
  makeSeries(metric, [
    ...samples(value, 0, minutes * MINUTE),
    ...samples(harmless, minutes * MINUTE + 15 * SECOND, 60 * MINUTE),
  ]);

const SUCCESS = "algobrain.worker.success_rate";
const ERRORS = "algobrain.api.error_rate";
const PENDING = "algobrain.jobs.pending";
const P95 = "algobrain.api.latency_p95_ms";
const HITS = "algobrain.cache.hit_rate";
const DISK = "algobrain.host.disk_used_ratio";
const QUARANTINE = "algobrain.jobs.quarantine_oldest_age";
const SAFE_MODE = "algobrain.safe_mode.active";
const FIRED = "algobrain.alerts.fired_per_minute";
const ACTIONS = "algobrain.healdec.action_rate";
const CONNECTIONS = "algobrain.db.connections";
const POOL = makeSeries("algobrain.db.pool_size", samples(20, 0, 60 * MINUTE));

describe("as shipped", () => {
  test.each<[string, string, number, number, number, number | null]>([
    ["AR-01", SUCCESS, 0.94, 5, 1, 5],
    ["AR-01", SUCCESS, 0.94, 4, 1, null],
    ["AR-01", SUCCESS, 0.95, 60, 1, null],
    ["AR-02", ERRORS, 0.06, 5, 0, 5],
    ["AR-02", ERRORS, 0.06, 4, 0, null],
    ["AR-02", ERRORS, 0.05, 60, 0, null],
    ["AR-03", ERRORS, 0.03, 5, 0, 5],
    ["AR-03", ERRORS, 0.02, 60, 0, null],
    ["AR-06", PENDING, 1001, 10, 0, 10],
    ["AR-06", PENDING, 1001, 9, 0, null],
    ["AR-06", PENDING, 1000, 60, 0, null],
    ["AR-07", PENDING, 101, 10, 0, 10],
    ["AR-07", PENDING, 100, 60, 0, null],
    ["AR-10", P95, 501, 5, 0, 5],
    ["AR-10", P95, 500, 60, 0, null],
    ["AR-13", HITS, 0.49, 15, 1, 15],
    ["AR-13", HITS, 0.69, 60, 1, null],
    ["AR-12", HITS, 0.69, 15, 1, 15],
    ["AR-15", DISK, 0.81, 15, 0, 15],
    ["AR-15", DISK, 0.81, 14, 0, null],
    ["AR-30", QUARANTINE, 86_401, 1, 0, 0],
    ["AR-31", SAFE_MODE, 1, 1, 0, 0],
    ["AR-32", FIRED, 51, 1, 0, 1],
    ["AR-08", ACTIONS, 0.16, 10, 0, 10],
    ["AR-08", ACTIONS, 0.16, 9, 0, null],
    ["AR-08", ACTIONS, 0.15, 60, 0, null],
  ])(
    "%s: %s at %d for %d min, then %d, fires after %s min",
    (level, metric, value, minutes, harmless, expected) => {
      expect(firesAfter(level, [held(metric, value, minutes, harmless)])).toBe(expected);
    },
  );

  test.each<[number, number, number | null]>([
    [19, 1, 1],
    [20, 0.75, null],
    [18, 60, null],
  ])(
    "AR-04: %d of 20 connections for %d min fires after %s min",
    (connections, minutes, expected) => {
      expect(firesAfter("AR-04", [held(CONNECTIONS, connections, minutes, 1), POOL])).toBe(
        expected,
      );
    },
  );

  test("AR-05: a heartbeat that stops fires after 60 s", () => {
    const beats = samples(0, 0, MINUTE, 5 * SECOND).map(({ at }) => ({ at, value: at / 1_000 }));
    const heartbeat = makeSeries("algobrain.orchestrator.heartbeat", beats);
    expect(firesAfter("AR-05", [heartbeat])).toBe(2.25);
  });

  test("AR-06: the depth of the queue is the sum over all kinds", () => {
    const kinds = ["index", "score"].map((kind) =>
      makeSeries(PENDING, samples(501, 0, 60 * MINUTE), { worker_type: kind }),
    );
    expect(firesAfter("AR-06", kinds)).toBe(10);
  });
});

describe("a rule with an instance for each label", () => {
  const STATE = "algobrain.breaker.state";
  const breaker = (values: readonly number[]) =>
    makeSeries(
      STATE,
      values.map((value, i) => ({ at: START + i * 15 * SECOND, value })),
      { dependency: "slack" },
    );

  test("AR-23: a breaker that lets a probe through each half minute and stays open fires after 5 min", () => {
    const probed = breaker(Array.from({ length: 241 }, (_, i) => (i % 3 === 2 ? 1 : 2)));
    expect(firesAfter("AR-23", [probed])).toBe(5);
  });

  test("AR-24: one that nobody tries any more is half open; no page comes of it", () => {
    const idle = breaker([2, 2, ...Array.from({ length: 239 }, () => 1)]);
    expect([firesAfter("AR-24", [idle]), firesAfter("AR-23", [idle])]).toEqual([5, null]);
  });

  test("AR-19: 2 of 30 jobs of a kind that fail each five minutes are too many, 2 of 19 say nothing", () => {
    const grows = (metric: string, perFiveMinutes: number) =>
      makeSeries(
        metric,
        samples(0, 0, 60 * MINUTE).map(({ at: ms }, i) => ({
          at: ms,
          value: (i * perFiveMinutes) / 20,
        })),
        { worker_type: "index" },
      );
    const failed = grows("algobrain.jobs.failed_total", 2);
    const ended = (count: number) => grows("algobrain.jobs.ended_total", count);
    expect(firesAfter("AR-19", [failed, ended(19)])).toBeNull();
    expect(firesAfter("AR-19", [failed, ended(40)])).toBeNull();
    expect(firesAfter("AR-19", [failed, ended(30)])).toBeGreaterThanOrEqual(5);
  });

  const kind = { worker_type: "score" };
  const RATE = makeSeries("algobrain.worker.error_rate_max", samples(0.01, 0, 60 * MINUTE), kind);
  const failing = (minutes: number) =>
    makeSeries(
      "algobrain.worker.error_rate",
      [...samples(0.02, 0, minutes * MINUTE), ...samples(0, (minutes + 1) * MINUTE, 60 * MINUTE)],
      kind,
    );

  test.each<[number, number | null]>([
    [60, 15],
    [5, null],
  ])("AR-20: twice its target for %d min fires after %s min", (minutes, expected) => {
    expect(firesAfter("AR-20", [failing(minutes), RATE])).toBe(expected);
  });

  const TARGET = makeSeries(
    "algobrain.worker.throughput_target",
    samples(10, 0, 60 * MINUTE),
    kind,
  );

  test("AR-21: less than half of its target while jobs wait without a break fires after 15 min", () => {
    const slow = makeSeries("algobrain.worker.throughput", samples(4, 0, 60 * MINUTE), kind);
    expect(firesAfter("AR-21", [slow, TARGET])).toBe(15);
  });

  test("AR-21: a queue that is empty in between keeps up, however little there was to do", () => {
    const sparse = samples(0.2, 0, 60 * MINUTE, 2 * MINUTE);
    const nowAndThen = makeSeries("algobrain.worker.throughput", sparse, kind);
    expect(firesAfter("AR-21", [nowAndThen, TARGET])).toBeNull();
  });
});

test("AR-33: the machines' requests are summed, and without a target there is nothing to fall short of", () => {
  const hosts = ["a", "b"].map((host) =>
    makeSeries("algobrain.api.request_rate", samples(23_000, 0, 60 * MINUTE), { host }),
  );
  const target = makeSeries("algobrain.api.request_rate_target", samples(60_000, 0, 60 * MINUTE));
  expect(firesAfter("AR-33", [...hosts, target])).toBe(5);
  expect(firesAfter("AR-33", hosts)).toBeNull();
  const third = makeSeries("algobrain.api.request_rate", samples(23_000, 0, 60 * MINUTE), {
    host: "c",
  });
  expect(firesAfter("AR-33", [...hosts, third, target])).toBeNull();
});
