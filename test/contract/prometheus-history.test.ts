import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPrometheusHistory } from "../../src/adapter/prometheus-history.js";
import {
  type StandInPrometheus,
  startStandInPrometheus,
} from "../../src/adapter/stand-in/prometheus.js";
import { faultOf, never } from "./delivery.js";

let standIn: StandInPrometheus;
beforeEach(async () => {
  standIn = await startStandInPrometheus();
});
afterEach(() => standIn.close());

const START = Date.UTC(2026, 10, 1);
const HOUR = 3_600_000;
const METRIC = {
  ...{ name: "algobrain.api.latency_ms", prometheusName: "algobrain_api_latency_seconds" },
  ...{ factor: 1_000, labels: ["host"] },
};
const add = (host: string, instance: string, samples: readonly (readonly [number, string])[]) =>
  standIn.series.push({
    labels: { __name__: METRIC.prometheusName, job: "algobrain", instance, host },
    samples: samples.map(([at, value]) => [START + at, value]),
  });
const load = (
  hours: number,
  options: { token?: string; timeoutMs?: number } = {},
  url = standIn.url,
) =>
  createPrometheusHistory({ url, ...options }).load(
    {
      ...{ metrics: [METRIC], from: new Date(START), to: new Date(START + hours * HOUR) },
      stepMs: 15_000,
    },
    never(),
  );
const plain = (series: Awaited<ReturnType<typeof load>>) =>
  series.map(({ metric, labels, times, values }) => [
    metric,
    labels.host,
    Array.from(times, (at, i) => [at - START, values[i]]),
  ]);

describe("history from Prometheus", () => {
  test("is the samples as they were scraped, in our name, unit and labels; gaps stay gaps", async () => {
    add("a", "one:3000", [
      [0, "9"],
      [1_123, "0.25"],
      [2 * HOUR, "0.5"],
      [2 * HOUR + 1, "NaN"],
      [3 * HOUR, "+Inf"],
      [4 * HOUR, "1"],
      [5 * HOUR, "7"],
    ]);
    expect(plain(await load(4, { token: "let-me-in" }))).toEqual([
      [
        METRIC.name,
        "a",
        [
          [1_123, 250],
          [2 * HOUR, 500],
          [4 * HOUR, 1_000],
        ],
      ],
    ]);
    expect(standIn.asked).toEqual([
      { query: `${METRIC.prometheusName}[${4 * HOUR}ms]`, authorization: "Bearer let-me-in" },
    ]);
  });

  test("is asked for day by day, and nothing stands twice where two days meet", async () => {
    add(
      "a",
      "one:3000",
      Array.from({ length: 60 }, (_, n) => [n * HOUR, String(n)]),
    );
    const [series] = await load(59);
    expect(standIn.asked).toHaveLength(3);
    expect(Array.from(series!.times, (at) => (at - START) / HOUR)).toEqual(
      Array.from({ length: 59 }, (_, n) => n + 1),
    );
  });

  test("of two processes that expose the same figures is one series", async () => {
    add("a", "one:3000", [
      [1_000, "1"],
      [3_000, "3"],
    ]);
    add("a", "two:3000", [
      [1_000, "1"],
      [2_000, "2"],
    ]);
    add("b", "two:3000", [[2_000, "5"]]);
    expect(plain(await load(1))).toEqual([
      [METRIC.name, "a", [1, 2, 3].map((s) => [s * 1_000, s * 1_000])],
      [METRIC.name, "b", [[2_000, 5_000]]],
    ]);
  });

  test("is asked for in smaller parts when the server says that it is too much", async () => {
    add(
      "a",
      "one:3000",
      Array.from({ length: 24 }, (_, n) => [(n + 1) * HOUR, String(n)]),
    );
    standIn.maxSamples = 6;
    const [series] = await load(24);
    expect(series?.times).toHaveLength(24);
    standIn.maxSamples = 0;
    expect(await faultOf(load(24))).toMatchObject({ kind: "data", code: "PROMETHEUS_REFUSED" });
  });

  test("of a metric that it does not know is nothing", async () => {
    expect(await load(1)).toEqual([]);
  });
});

describe("what goes wrong has a kind", () => {
  test.each([
    [503, "", { kind: "transient", code: "PROMETHEUS_FAILED" }],
    [401, "", { kind: "waiting", code: "PROMETHEUS_UNAUTHORIZED" }],
    [400, "", { kind: "data", code: "PROMETHEUS_REFUSED" }],
    [200, { status: "error" }, { kind: "data", code: "PROMETHEUS_ANSWER_INVALID" }],
    [
      200,
      { status: "success", data: { resultType: "matrix", result: [{ metric: {} }] } },
      { code: "PROMETHEUS_ANSWER_INVALID" },
    ],
    [
      200,
      {
        status: "success",
        data: { resultType: "matrix", result: [{ metric: {}, values: [[1, 2]] }] },
      },
      { code: "PROMETHEUS_ANSWER_INVALID" },
    ],
  ])("answer %s %o", async (status, body, expected) => {
    standIn.misbehave({ kind: "answer", answer: { status, body } });
    expect(await faultOf(load(1))).toMatchObject(expected);
  });

  test("silence ends with the deadline", async () => {
    standIn.misbehave({ kind: "silence" });
    expect(await faultOf(load(1, { timeoutMs: 50 }))).toMatchObject({
      code: "PROMETHEUS_TIMED_OUT",
    });
  });

  test("an address with credentials is refused, and not repeated", async () => {
    const thrown = await faultOf(
      (async () => load(1, {}, "https://ann:secret@prometheus.example"))(),
    );
    expect(thrown).toMatchObject({ kind: "refused", code: "PROMETHEUS_ADDRESS_INVALID" });
    expect(JSON.stringify(thrown)).not.toContain("secret");
  });
});
