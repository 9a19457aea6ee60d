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
 * @param isTold the depth of the queues is published by a call, so that scaling hangs on no log driver: once is enough
 */
export function createCloudWatch(
  { config, policy, clock, log }: CloudWatchDeps,
  isTold: boolean,
): MetricsSink | null {
  if (config.environment === "local" || !policy().monitoring.outlets.cloudwatch.enabled)
    return null;
  return createCloudWatchSink({
    context: () => {
      const { infrastructure, metrics } = policy();
      return {
        namespace: infrastructure.namespace,
        metrics: isTold ? omit(metrics, QUEUE_DEPTH) : metrics,
      };
    },
    clock,
    write: (fields) => log.info("metrics.published", fields),
  });
}

/** Has the name JobQueueDepth in CloudWatch. */
const QUEUE_DEPTH = "algobrain.jobs.pending";

function omit<T>(all: Readonly<Record<string, T>>, name: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(all).filter(([one]) => one !== name));
}
