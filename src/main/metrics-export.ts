/** What we measure, elsewhere as well: to Datadog's agent, only with `DATADOG_API_KEY` (HB-env-27), and to CloudWatch. */
import { createDogStatsd } from "../adapter/dogstatsd.js";
import { createCloudWatchSink } from "../alert/outlet/cloudwatch-sink.js";
import { datadogSink } from "../alert/outlet/datadog-series.js";
import type { MetricsSink } from "../alert/port.js";
import type { Logger } from "../base/log.js";
import type { PolicySet } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";
import type { Foundation } from "./foundation.js";

type CloudWatchDeps = Pick<Foundation, "config" | "policy" | "clock" | "log">;

/** Null: there is no key, and nothing is sent. */
export function createMetricsSink(
  { datadogApiKey, dogstatsd }: Config,
  { system, environment }: PolicySet,
  log: Logger,
): MetricsSink | null {
  if (datadogApiKey === null) return null;
  const statsd = createDogStatsd({
    ...dogstatsd,
    tags: { system, env: environment },
    onLost: ({ datagrams, error }) => log.warn("datagrams.lost", { datagrams, error }),
  });
  return datadogSink(statsd);
}

/**
 * What CloudWatch makes metrics of, as lines of our own log (HB-aws-09): no rights, no calls. Null where nobody reads
 * them. Only for the part that leads: the same figures from two processes would count twice.
 */
export function createCloudWatch({
  config,
  policy,
  clock,
  log,
}: CloudWatchDeps): MetricsSink | null {
  if (config.environment === "local" || !policy().monitoring.outlets.cloudwatch.enabled)
    return null;
  return createCloudWatchSink({
    context: () => ({ namespace: policy().infrastructure.namespace, metrics: policy().metrics }),
    clock,
    write: (fields) => log.info("metrics.published", fields),
  });
}
