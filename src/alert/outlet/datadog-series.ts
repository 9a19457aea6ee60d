/**
 * What Datadog gets of our series. The handbook asks for the depth of the queue as `avg:algobrain.jobs.pending{*}` and
 * as `sum:algobrain.jobs.pending{status:pending}` (HB-alr-05, HB-dash-03): both mean the whole queue only where it is
 * one series with that tag. So there it is one, and the kinds stand beside it under another name.
 */
import type { ExportedSample, MetricsSink } from "../port.js";

interface Fold {
  /** The label that is added up, and the name of the series that keep it. */
  readonly over: string;
  readonly beside: string;
  readonly tags: Readonly<Record<string, string>>;
}

const FOLDS: Readonly<Record<string, Fold>> = {
  "algobrain.jobs.pending": {
    over: "worker_type",
    beside: "algobrain.jobs.pending_by_type",
    tags: { status: "pending" },
  },
};

/** The samples of one moment as they are sent. */
export function datadogSamples(samples: readonly ExportedSample[]): ExportedSample[] {
  const plain = samples.filter(({ metric }) => FOLDS[metric] === undefined);
  const folded = Object.entries(FOLDS).flatMap(([metric, fold]) =>
    foldSamples(
      samples.filter((sample) => sample.metric === metric),
      fold,
    ),
  );
  return [...plain, ...folded];
}

/** None at all where nothing was measured: no depth is not a depth of nought. */
function foldSamples(samples: readonly ExportedSample[], fold: Fold): ExportedSample[] {
  const [first] = samples;
  if (!first) return [];
  const value = samples.reduce((sum, one) => sum + one.value, 0);
  const beside = samples.map((sample) => ({ ...sample, metric: fold.beside }));
  return [{ ...first, labels: fold.tags, value }, ...beside];
}

export interface DatadogSeries {
  readonly name: string;
  /** Labels by which there is more than one series of it. */
  readonly labels: readonly string[];
}

/** Where a rule finds a metric that it wants by these labels. */
export function datadogSeries(
  metric: { readonly name: string; readonly labels: readonly string[] },
  wanted: readonly string[],
): DatadogSeries {
  const fold = FOLDS[metric.name];
  if (!fold) return { name: metric.name, labels: metric.labels };
  if (wanted.includes(fold.over)) return { name: fold.beside, labels: metric.labels };
  return { name: metric.name, labels: metric.labels.filter((label) => label !== fold.over) };
}

/** By the name under which it is sent: the metric of the catalogue and the tags it bears besides its labels. */
export function datadogOrigin(name: string): {
  readonly metric: string;
  readonly tags: readonly string[];
} {
  for (const [metric, { beside, tags }] of Object.entries(FOLDS)) {
    if (name === metric) return { metric, tags: Object.keys(tags) };
    if (name === beside) return { metric, tags: [] };
  }
  return { metric: name, tags: [] };
}

/** A sink to Datadog's agent that is sent what Datadog gets. */
export function datadogSink(sink: MetricsSink): MetricsSink {
  return {
    send: (samples) => sink.send(datadogSamples(samples)),
    heartbeat: (isAlive) => sink.heartbeat(isAlive),
    close: () => sink.close(),
  };
}
