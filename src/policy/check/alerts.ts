/** What the shape of a rule cannot say about its signal: metrics and labels exist, forms and times fit. */
import type { Problem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import type { Aggregate, Signal, Unit } from "../policy.js";
import { type SignalUnit, unitOfSignal } from "../threshold.js";
import {
  descend,
  durationOf,
  entriesOf,
  itemsOf,
  type Node,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { checkBurn } from "./burn.js";
import { BUCKET_LABEL, checkHistogram, isHistogram } from "./histograms.js";
import { checkLevels } from "./levels.js";
import { checkName, checkUnique } from "./name.js";
import { perNode } from "./per-node.js";
import { show } from "./shape.js";
import { checkTicks } from "./ticks.js";

/** Of rules that do not say it: the tick of the evaluator. */
export const EVERY_DEFAULT_MS = 15_000;

type Form = Signal["form"];

/** A signal as far as it can be read. */
export interface SignalView {
  readonly form: Form;
  readonly body: Node;
  readonly selectors: readonly Node[];
  readonly unit: SignalUnit | undefined;
}

export function checkAlerts(tree: PolicyTree): Problem[] {
  const metrics = tree.get("metrics");
  const rules = entriesOf(tree.get("alerts")).map(([, entry]) => entry.node);
  const levels = rules.flatMap((rule) => levelsOfRule(rule));
  return [
    ...rules.flatMap((rule) => checkRule(rule, metrics)),
    ...checkUnique(
      levels.map((level) => descend(level, "id")),
      "level id",
    ),
  ];
}

const checkRule = perNode((rule, metrics) => {
  const signal = viewSignal(rule, metrics);
  return [
    ...(signal ? checkSignal(rule, signal, metrics) : []),
    ...entriesOf(descend(rule, "levels")).flatMap(([, entry]) => checkTicks(entry)),
    ...checkLevels(levelsOfRule(rule), signal?.unit),
  ];
});

export const levelsOfRule = perNode((rule): readonly Node[] =>
  entriesOf(descend(rule, "levels")).map(([, entry]) => entry.node),
);

/** Undefined when the signal has no form, or several. */
export const viewSignal = perNode(readSignal);

function readSignal(rule: Node, metrics: Node | undefined): SignalView | undefined {
  const forms = entriesOf(descend(rule, "signal"));
  const [name, entry] = forms[0] ?? [];
  if (forms.length !== 1 || !entry || !name) return undefined;
  const form = name as Form;
  const body = entry.node;
  const parts = { ratio: ["num", "all"], div: ["num", "den"], burn: ["bad", "all"] }[name];
  const selectors = parts ? parts.flatMap((part) => descend(body, part) ?? []) : [body];
  const unit = textOf(descend(metrics, textOf(descend(selectors[0], "metric")) ?? "", "unit"));
  const own = form === "div" ? (textOf(descend(body, "unit")) ?? "ratio") : unit;
  const fn = textOf(descend(body, "fn")) as Aggregate | undefined;
  return {
    form,
    body,
    selectors,
    unit: own === undefined ? undefined : unitOfSignal(form, own as Unit, fn),
  };
}

function checkSignal(rule: Node, signal: SignalView, metrics: Node | undefined): Problem[] {
  return [
    ...signal.selectors.flatMap((selector) => checkSelector(selector, metrics)),
    ...checkCounters(signal, metrics),
    ...checkHistogram(signal, metrics),
    ...(signal.form === "burn" ? checkBurn(signal.body, levelsOfRule(rule)) : []),
    ...checkInstances(rule, signal, metrics),
    ...checkTimes(rule, signal),
  ];
}

function checkSelector(selector: Node, metrics: Node | undefined): Problem[] {
  const metric = descend(selector, "metric");
  const known = labelsOf(metric, metrics);
  return [
    ...checkName(metric, metrics, { what: "metric", where: "metrics.yaml" }),
    ...entriesOf(descend(selector, "where")).flatMap(([label, entry]) =>
      known && !known.includes(label) ? [unknownLabel(entry.key, label, known)] : [],
    ),
  ];
}

/** Undefined when the metric is unknown. */
function labelsOf(metric: Node | undefined, metrics: Node | undefined): string[] | undefined {
  const entry = descend(metrics, textOf(metric) ?? "");
  return entry && itemsOf(descend(entry, "labels")).flatMap((label) => textOf(label) ?? []);
}

function unknownLabel(place: Node["place"], label: string, known: readonly string[]): Problem {
  const has = known.length === 0 ? "no labels" : `the labels ${known.join(", ")}`;
  return problemAt(
    place,
    `unknown label "${label}", the metric has ${has}`,
    didYouMean(label, known),
  );
}

const COUNTER_FORMS: readonly Form[] = ["rate", "increase", "ratio", "burn"];

function checkCounters(
  { form, selectors, unit }: SignalView,
  metrics: Node | undefined,
): Problem[] {
  if (form === "last" && unit === "timestamp")
    return [problemAt(selectors[0]!.place, "found a timestamp as a value, expected the form age")];
  if (!COUNTER_FORMS.includes(form)) return [];
  return selectors.flatMap((selector) => {
    const metric = descend(selector, "metric");
    const kind = textOf(descend(metrics, textOf(metric) ?? "", "kind"));
    return !metric || kind === undefined || kind === "counter"
      ? []
      : [problemAt(metric.place, `found a ${kind} in the form ${form}, expected a counter`)];
  });
}

/** A label that makes no instance is combined away, and how must be said: sum and average differ. */
function checkInstances(rule: Node, signal: SignalView, metrics: Node | undefined): Problem[] {
  const lists = signal.selectors.flatMap((selector) => {
    const metric = descend(selector, "metric");
    const labels = labelsOf(metric, metrics) ?? [];
    return isHistogram(metric, metrics) ? labels.filter((one) => one !== BUCKET_LABEL) : labels;
  });
  const by = itemsOf(descend(rule, "by"));
  if (signal.selectors.some((selector) => !labelsOf(descend(selector, "metric"), metrics)))
    return [];
  const unknown = by.flatMap((node) => {
    const label = textOf(node);
    return label === undefined || lists.includes(label)
      ? []
      : [unknownLabel(node.place, label, lists)];
  });
  const kept = new Set(by.map(textOf));
  const lost = lists.find((label) => !kept.has(label) && !isPinned(signal, label));
  if (lost === undefined || descend(rule, "combine")) return unknown;
  return [
    ...unknown,
    problemAt(
      signal.body.place,
      `missing key "combine": the metric has the label ${lost}, expected sum, avg, min or max`,
      `or write by: [${lost}] for one instance each`,
    ),
  ];
}

function isPinned(signal: SignalView, label: string): boolean {
  return signal.selectors.every((selector) => descend(selector, "where", label) !== undefined);
}

function checkTimes(rule: Node, signal: SignalView): Problem[] {
  const everyMs = durationOf(descend(rule, "every")) ?? EVERY_DEFAULT_MS;
  const every = descend(rule, "every");
  const noData = descend(rule, "noData");
  const problems: Problem[] = [];
  if (every && everyMs < 1000)
    problems.push(problemAt(every.place, `found ${show(every)}, expected at least 1s`));
  const windows = ["over", "long", "short"].map((name) => descend(signal.body, name));
  for (const node of [...windows, descend(noData, "after")]) {
    const ms = durationOf(node);
    if (node && ms !== undefined && ms < everyMs)
      problems.push(
        problemAt(
          node.place,
          `found ${show(node)}, expected no less than every (${everyMs / 1000}s)`,
        ),
      );
  }
  if (signal.form === "age" && noData)
    problems.push(
      problemAt(
        noData.place,
        "found noData with the form age, which is about missing data",
        "leave noData out",
      ),
    );
  return problems;
}
