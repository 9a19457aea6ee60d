/** A histogram is buckets, counted by the label `le`: of it there are percentiles and a number, and no average. */
import type { Problem } from "../../base/problem.js";
import {
  descend,
  entriesOf,
  itemsOf,
  type Node,
  namesOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { show } from "./shape.js";

/** The upper bound of a bucket, as Prometheus calls it. */
export const BUCKET_LABEL = "le";

/** A signal as far as it can be read. */
interface Asked {
  readonly form: string;
  readonly body: Node;
  readonly selectors: readonly Node[];
}

export function isHistogram(metric: Node | undefined, metrics: Node | undefined): boolean {
  return textOf(descend(metrics, textOf(metric) ?? "", "kind")) === "histogram";
}

export function checkBuckets(tree: PolicyTree): Problem[] {
  return entriesOf(tree.get("metrics")).flatMap(([, { node }]) => {
    const kind = descend(node, "kind");
    if (!kind || textOf(kind) !== "histogram") return [];
    const labels = itemsOf(descend(node, "labels")).map(textOf);
    return labels.includes(BUCKET_LABEL)
      ? []
      : [problemAt(kind.place, "found a histogram without the label le, which bounds its buckets")];
  });
}

const COUNTS = /^(?:count|p\d+)$/;

/** What a signal may ask of a histogram. */
export function checkHistogram(signal: Asked, metrics: Node | undefined): Problem[] {
  return signal.selectors.flatMap((selector) => {
    const metric = descend(selector, "metric");
    if (!metric || !isHistogram(metric, metrics)) return [];
    return [...checkForm(signal, metric), ...checkPinned(selector)];
  });
}

function checkForm({ form, body }: Asked, metric: Node): Problem[] {
  const fn = descend(body, "fn");
  const asked = textOf(fn);
  if (form === "last" || form === "age")
    return [
      problemAt(
        metric.place,
        `found a histogram in the form ${form}, expected the form agg`,
        "such as agg: { …, fn: p95, over: 5m, fullWindow: false }",
      ),
    ];
  return fn && asked !== undefined && !COUNTS.test(asked)
    ? [
        problemAt(
          fn.place,
          `found ${show(fn)} of a histogram, expected count, p50, p90, p95, p99 or p999`,
        ),
      ]
    : [];
}

function checkPinned(selector: Node): Problem[] {
  const where = descend(selector, "where");
  if (!namesOf(where).includes(BUCKET_LABEL) || where?.kind !== "map") return [];
  const { key } = where.entries.get(BUCKET_LABEL)!;
  return [problemAt(key, "found one bucket of a histogram, expected all of them")];
}
