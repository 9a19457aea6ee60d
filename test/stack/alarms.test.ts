/** An alert rule in CloudWatch's words, or the reason why it has none there. */
import { describe, expect, test } from "vitest";
import { type CloudWatchContext, cloudWatchAlarm } from "../../src/alert/outlet/cloudwatch.js";
import type { AlertLevel, AlertRule, Signal } from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";
import { synthesized } from "../support/synthesized.js";

const MINUTE_MS = 60_000;
const DEPTH = { metric: "algobrain.jobs.pending", where: {} };
const ERRORS = { metric: "algobrain.api.error_rate", where: {} };

function contextOf(): CloudWatchContext {
  return { namespace: "AlgoBrain", metrics: makePolicy().metrics };
}

function alarmOf(rule: Partial<AlertRule>, level: Partial<AlertLevel> = {}) {
  const made = makeLevel(level);
  return cloudWatchAlarm(makeRule({ levels: [made], ...rule }), made, contextOf());
}

function sound(rule: Partial<AlertRule>, level: Partial<AlertLevel> = {}) {
  const form = alarmOf(rule, level);
  if (!form.ok) throw new Error(form.reason);
  return form.alarm;
}

describe("windows", () => {
  test("an average over ten minutes is one period of ten minutes (HB-alr-05)", () => {
    expect(sound({})).toMatchObject({
      comparison: "GreaterThanThreshold",
      threshold: 1000,
      evaluationPeriods: 1,
      query: {
        kind: "metric",
        metric: { metricName: "JobQueueDepth", statistic: "Average", periodS: 600 },
      },
    });
  });

  test("window and hold time together are the span that must breach", () => {
    const signal: Signal = {
      form: "agg",
      fn: "p95",
      of: DEPTH,
      overMs: MINUTE_MS,
      fullWindow: false,
    };
    const alarm = sound({ signal }, { forMs: 5 * MINUTE_MS });
    expect(alarm).toMatchObject({ evaluationPeriods: 6, query: { metric: { statistic: "p95" } } });
  });

  test("a last value that must hold for five minutes is five points of a minute", () => {
    const alarm = sound({ signal: { form: "last", of: ERRORS } }, { forMs: 5 * MINUTE_MS });
    expect(alarm).toMatchObject({
      evaluationPeriods: 5,
      query: { metric: { metricName: "ApiErrorRate", periodS: 60 } },
    });
  });

  test("a share with too few observations is missing data, not a value", () => {
    const signal: Signal = { form: "ratio", num: ERRORS, all: DEPTH, overMs: 300_000, minAll: 20 };
    expect(sound({ signal }).query).toMatchObject({
      kind: "math",
      expression: "m1 / IF(m2 >= 20, m2, 0)",
      metrics: [
        { statistic: "Sum", periodS: 300 },
        { statistic: "Sum", periodS: 300 },
      ],
    });
  });

  test("one gauge by another divides their averages (HB-alr-03)", () => {
    const signal: Signal = {
      form: "div",
      num: ERRORS,
      den: DEPTH,
      fn: "avg",
      overMs: MINUTE_MS,
      fullWindow: true,
    };
    expect(sound({ signal }).query).toMatchObject({ kind: "math", expression: "m1 / m2" });
  });
});

describe("M of N ticks", () => {
  const last: Signal = { form: "last", of: ERRORS };
  const counting = { mOf: [3, 5] as const };

  test("of a minute each are M of N periods", () => {
    const alarm = sound({ signal: last, everyMs: MINUTE_MS }, counting);
    expect(alarm).toMatchObject({
      ...{ evaluationPeriods: 5, datapointsToAlarm: 3 },
      query: { metric: { statistic: "Average", periodS: 60 } },
    });
  });

  test("of windows that follow one another are M of N periods of a window", () => {
    const signal: Signal = { form: "increase", of: DEPTH, overMs: 5 * MINUTE_MS };
    const alarm = sound({ signal, everyMs: 5 * MINUTE_MS }, counting);
    expect(alarm).toMatchObject({
      ...{ evaluationPeriods: 5, datapointsToAlarm: 3 },
      query: { metric: { statistic: "Sum", periodS: 300 } },
    });
  });

  test.each<[string, Partial<AlertRule>, RegExp]>([
    ["of fifteen seconds", { signal: last }, /ticks of 15s.*one a minute/],
    ["of windows that overlap", { everyMs: MINUTE_MS }, /windows of 10m each 1m.*do not overlap/],
  ])("%s have no form", (_what, rule, reason) => {
    expect(alarmOf(rule, counting)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });
});

describe("missing data", () => {
  test.each([
    ["hold", "ignore", false],
    ["ok", "notBreaching", false],
    ["breach", "breaching", false],
    ["alert", "missing", true],
  ] as const)("%s is %s", (then, missingData, tellsMissingData) => {
    const rule = { noData: { afterMs: 2 * MINUTE_MS, then } };
    expect(sound(rule)).toMatchObject({ missingData, tellsMissingData });
  });

  test("a heartbeat that stops pages without any process of ours (HB-alr-04)", () => {
    const signal: Signal = { form: "age", of: DEPTH };
    expect(sound({ signal, noData: null }, { value: 60 })).toMatchObject({
      comparison: "LessThanThreshold",
      threshold: 1,
      evaluationPeriods: 2,
      missingData: "breaching",
      query: { metric: { statistic: "SampleCount", periodS: 60 } },
    });
  });
});

describe("what CloudWatch cannot say has a reason", () => {
  const over90s: Signal = { form: "agg", fn: "avg", of: DEPTH, overMs: 90_000, fullWindow: true };
  const counted: Signal = { form: "agg", fn: "count", of: DEPTH, overMs: 60_000, fullWindow: true };
  const twoDays: Signal = { form: "increase", of: DEPTH, overMs: 30 * MINUTE_MS };
  test.each<[string, Partial<AlertRule>, Partial<AlertLevel>, RegExp]>([
    [
      "an instance for each label",
      { by: ["worker_type"] },
      {},
      /one instance for each worker_type/,
    ],
    ["a window of 90 s", { signal: over90s }, {}, /1m30s is not a whole number of minutes/],
    ["a count of samples", { signal: counted }, {}, /counts raw samples/],
    ["two days", { signal: twoDays }, { forMs: 2_880 * MINUTE_MS }, /looks back 2d30m/],
    [
      "a metric that nobody publishes",
      { signal: { form: "last", of: { metric: "aws.disk", where: {} } } },
      {},
      /aws\.disk is not published/,
    ],
    ["a metric that is planned", { waitsFor: ["aws.disk"] }, {}, /waits for aws\.disk/],
    [
      "series picked by label",
      { signal: { form: "last", of: { ...DEPTH, where: { kind: "index" } } } },
      {},
      /by label/,
    ],
    [
      "an age that is too small",
      { signal: { form: "age", of: DEPTH } },
      { op: "<" },
      /age below a value/,
    ],
  ])("%s", (_what, rule, level, reason) => {
    expect(alarmOf(rule, level)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  test("synthesis names the levels it left out", async () => {
    const policy = makePolicy();
    const foreign = makeMetric("aws.rds.cpu", { source: "cloudwatch" });
    const rule = makeRule({
      name: "rds-busy",
      signal: { form: "last", of: { metric: foreign.name, where: {} } },
      levels: [makeLevel({ id: "AR-90" })],
    });
    const { synthesis } = await synthesized({
      ...policy,
      metrics: { ...policy.metrics, [foreign.name]: foreign },
      alerts: [...policy.alerts, rule],
    });
    expect(synthesis.leftOut).toEqual([
      { rule: "rds-busy", level: "AR-90", reason: expect.stringContaining("not published") },
    ]);
  });
});

describe("as a resource", () => {
  test("an alarm tells the topic when it begins and when it ends", async () => {
    const output = await synthesized(makePolicy());
    const topic = [`\${aws_sns_topic.alarms.arn}`];
    expect(output.resource("aws_cloudwatch_metric_alarm", "alarm-AR-02")).toMatchObject({
      alarm_name: "algobrain-prod-api-error-rate-high-AR-02",
      metric_name: "ApiErrorRate",
      namespace: "AlgoBrain",
      threshold: 0.05,
      period: 300,
      alarm_actions: topic,
      ok_actions: topic,
    });
  });

  test("M of N arrives there, and without it all periods must breach", async () => {
    const signal: Signal = { form: "last", of: ERRORS };
    const levels = [makeLevel({ id: "AR-92", mOf: [3, 5] })];
    const counting = makeRule({ name: "often", everyMs: MINUTE_MS, signal, levels });
    const output = await synthesized(makePolicy({ alerts: [...makePolicy().alerts, counting] }));
    const alarm = (id: string) => output.resource("aws_cloudwatch_metric_alarm", `alarm-${id}`);
    expect(alarm("AR-92")).toMatchObject({ evaluation_periods: 5, datapoints_to_alarm: 3 });
    expect(alarm("AR-02")).not.toHaveProperty("datapoints_to_alarm");
  });

  test("nothing is made of the outlet that is switched off (X-70)", async () => {
    const { monitoring, ...policy } = makePolicy();
    const outlets = { ...monitoring.outlets, cloudwatch: { enabled: false } };
    const output = await synthesized({ ...policy, monitoring: { ...monitoring, outlets } });
    const { resource = {} } = output.documents["algobrain-production-observability"]!;
    // Logs are there all the same, and can be asked.
    expect(Object.keys(resource as object)).toEqual(["aws_cloudwatch_query_definition"]);
  });

  test("the address that is paged is asked for at apply, and is sensitive", async () => {
    const output = await synthesized(makePolicy());
    const { variable } = output.documents["algobrain-production-observability"]!;
    expect(variable).toMatchObject({ alarm_endpoint: { sensitive: true } });
  });

  test("metric math carries its inputs as queries", async () => {
    const signal: Signal = { form: "ratio", num: ERRORS, all: DEPTH, overMs: 300_000, minAll: 20 };
    const rule = makeRule({ name: "share", signal, levels: [makeLevel({ id: "AR-91" })] });
    const output = await synthesized(makePolicy({ alerts: [rule] }));
    expect(
      output.resource("aws_cloudwatch_metric_alarm", "alarm-AR-91").metric_query,
    ).toMatchObject([
      { id: "e1", return_data: true },
      { id: "m1", metric: { metric_name: "ApiErrorRate", period: 300, stat: "Sum" } },
      { id: "m2", metric: { metric_name: "JobQueueDepth", period: 300, stat: "Sum" } },
    ]);
  });
});
