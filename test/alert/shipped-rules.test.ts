/** The handbook's alerts (HB-alr-01…06), as shipped, on the boundary and to both sides of it. */
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
  const fired = transitions.find(({ kind }) => kind === "fired");
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
    ["AR-06", PENDING, 1001, 10, 0, 10],
    ["AR-06", PENDING, 1001, 9, 0, null],
    ["AR-06", PENDING, 1000, 60, 0, null],
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
