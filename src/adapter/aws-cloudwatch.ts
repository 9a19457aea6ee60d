/** CloudWatch: states of alarms and points of our own series, and the points that we publish (HB-aws-09). */
import type { AwsReader } from "../runbook/aws-port.js";
import { type AwsGround, send } from "./aws-clients.js";

/** DescribeAlarms takes no more names at once. */
const NAMES_MAX = 100;
/** Seconds; what we publish comes once a minute. */
const PERIOD_S = 60;

export interface MetricPoint {
  readonly name: string;
  readonly value: number;
  readonly unit: "Count" | "None";
  readonly dimensions?: Readonly<Record<string, string>>;
}

export function createCloudWatchCare(
  ground: AwsGround,
  namespace: () => string,
): Pick<AwsReader, "alarms" | "metric"> {
  return {
    alarms: (names) => readAlarms(ground, names),
    metric: (name, from, to) => readMetric(ground, namespace(), { name, from, to }),
  };
}

async function readAlarms(ground: AwsGround, names: readonly string[]) {
  const { DescribeAlarmsCommand } = await import("@aws-sdk/client-cloudwatch");
  const all = [];
  for (let i = 0; i < names.length; i += NAMES_MAX) {
    const AlarmNames = names.slice(i, i + NAMES_MAX);
    // It would answer with fifty of them, and a token for the rest.
    const command = new DescribeAlarmsCommand({ AlarmNames, MaxRecords: NAMES_MAX });
    const answer = await send(ground, "cloudwatch", command, { target: AlarmNames.join(",") });
    all.push(...(answer.MetricAlarms ?? []));
  }
  return all.map(({ AlarmName = "", StateValue = "INSUFFICIENT_DATA", StateUpdatedTimestamp }) => ({
    ...{ name: AlarmName, state: StateValue, since: StateUpdatedTimestamp ?? null },
  }));
}

async function readMetric(
  ground: AwsGround,
  Namespace: string,
  { name, from, to }: { readonly name: string; readonly from: Date; readonly to: Date },
) {
  const { GetMetricDataCommand } = await import("@aws-sdk/client-cloudwatch");
  const Metric = { Namespace, MetricName: name };
  const command = new GetMetricDataCommand({
    ...{ StartTime: from, EndTime: to, ScanBy: "TimestampAscending" },
    MetricDataQueries: [{ Id: "m", MetricStat: { Metric, Period: PERIOD_S, Stat: "Average" } }],
  });
  const answer = await send(ground, "cloudwatch", command, { target: `${Namespace}/${name}` });
  const { Timestamps = [], Values = [] } = answer.MetricDataResults?.[0] ?? {};
  return Timestamps.map((at, i) => ({ at, value: Values[i] ?? Number.NaN }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => a.at.getTime() - b.at.getTime());
}

/** All in one call: a series without the others would look like a fault of the runtime. */
export async function putMetrics(
  ground: AwsGround,
  {
    namespace,
    at,
    points,
  }: {
    readonly namespace: string;
    readonly at: Date;
    readonly points: readonly MetricPoint[];
  },
): Promise<void> {
  const { PutMetricDataCommand } = await import("@aws-sdk/client-cloudwatch");
  const MetricData = points.map(({ name, value, unit, dimensions = {} }) => ({
    ...{ MetricName: name, Timestamp: at, Value: value, Unit: unit },
    Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
  }));
  const command = new PutMetricDataCommand({ Namespace: namespace, MetricData });
  await send(ground, "cloudwatch", command, { target: namespace });
}
