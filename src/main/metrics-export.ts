/** What we measure, to Datadog's agent as well: only with `DATADOG_API_KEY` (HB-env-27). */
import { createDogStatsd } from "../adapter/dogstatsd.js";
import { datadogSink } from "../alert/outlet/datadog-series.js";
import type { MetricsSink } from "../alert/port.js";
import type { Logger } from "../base/log.js";
import type { PolicySet } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";

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
