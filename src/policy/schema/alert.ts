/** What metrics.yaml and alerts/*.yaml may say. */

import { closed, Type } from "../../base/type.js";
import { METRIC_SOURCES, SEVERITIES, UNITS } from "../policy.js";
import { byName, Duration, Name, PATTERNS, Whole } from "./form.js";

export const MetricsFile = byName(
  Type.Object(
    {
      unit: Type.Enum([...UNITS], { description: "A ratio is a fraction from 0 to 1." }),
      kind: Type.Enum(["gauge", "counter", "histogram"]),
      labels: Type.Optional(
        Type.Array(Type.String({ pattern: PATTERNS.label }), { uniqueItems: true }),
      ),
      source: Type.Enum([...METRIC_SOURCES], { description: "Where it is measured." }),
      emitter: Type.Optional(
        Name("Which part of the source emits it, such as api. Default: the source."),
      ),
      planned: Type.Optional(
        Type.String({
          minLength: 1,
          description: "Who will emit it: until then the rules on it wait and nothing is asked.",
        }),
      ),
      unwatched: Type.Optional(
        Type.String({ minLength: 1, description: "Why no rule watches it (X-29)." }),
      ),
      cloudwatch: Type.Optional(
        Type.Object(
          { namespace: Type.String({ minLength: 1 }), name: Type.String({ minLength: 1 }) },
          { ...closed, description: "Where CloudWatch has it, summed over all labels." },
        ),
      ),
      help: Type.String({ minLength: 1, description: "One sentence for people." }),
    },
    closed,
  ),
  PATTERNS.metric,
);

const Selector = {
  metric: Type.String({ description: "A name of metrics.yaml." }),
  where: Type.Optional(
    Type.Record(Type.String({ pattern: PATTERNS.label }), Type.String(), {
      ...closed,
      description: "Only series whose labels have these values.",
    }),
  ),
};
const Over = Duration("Length of the window, (t − over, t].");
const FullWindow = Type.Boolean({
  description: "true: no value until the window is fully covered (the handbook's “avg 5 min”).",
});
const Averaging = Type.Enum([
  "avg",
  "min",
  "max",
  "sum",
  "count",
  "p50",
  "p90",
  "p95",
  "p99",
  "p999",
]);
const Counter = Type.Object({ ...Selector, over: Over }, closed);
const SelectorOnly = Type.Object(Selector, closed);

const Signal = Type.Object(
  {
    last: Type.Optional(Type.Object(Selector, { ...closed, description: "The newest sample." })),
    agg: Type.Optional(
      Type.Object(
        { ...Selector, fn: Averaging, over: Over, fullWindow: FullWindow },
        { ...closed, description: "The samples of a window as one number." },
      ),
    ),
    rate: Type.Optional(Counter),
    increase: Type.Optional(Counter),
    ratio: Type.Optional(
      Type.Object(
        {
          num: SelectorOnly,
          all: SelectorOnly,
          over: Over,
          minAll: Whole(1, 1_000_000_000, "Fewer than this is no data."),
        },
        { ...closed, description: "Share of one counter in another." },
      ),
    ),
    div: Type.Optional(
      Type.Object(
        {
          num: SelectorOnly,
          den: SelectorOnly,
          fn: Averaging,
          over: Over,
          fullWindow: FullWindow,
          unit: Type.Optional(
            Type.Enum(["ratio", "number"], {
              description: "ratio (default): a part of the whole, 0 to 1. number: any quotient.",
            }),
          ),
        },
        { ...closed, description: "One gauge by another." },
      ),
    ),
    age: Type.Optional(
      Type.Object(Selector, {
        ...closed,
        description: "Time since the last sample, or since the time it holds.",
      }),
    ),
    burn: Type.Optional(
      Type.Object(
        {
          bad: SelectorOnly,
          all: SelectorOnly,
          slo: Type.Number({
            minimum: 0.5,
            maximum: 0.99999,
            description: "The share that must be good, such as 0.999.",
          }),
          long: Duration("The window that says that it matters."),
          short: Duration("The window that says that it still goes on; at most half of `long`."),
          minAll: Whole(1, 1_000_000_000, "Fewer than this in the long window is no data."),
        },
        { ...closed, description: "How many times too fast the error budget is spent." },
      ),
    ),
  },
  { ...closed, minProperties: 1, maxProperties: 1, description: "Exactly one form." },
);

const Threshold = Type.Unsafe<number | string>({
  type: ["number", "string"],
  pattern: PATTERNS.duration,
  description: "In the unit of the metric: a ratio is a fraction (0.95), times may be written 60s.",
});

const Level = Type.Object(
  {
    id: Type.String({ pattern: PATTERNS.levelId, description: "AR-…, unique over all rules." }),
    severity: Type.Enum([...SEVERITIES], {
      description: "sev1 critical, sev2 high, sev3 medium, sev4 low.",
    }),
    op: Type.Enum([">", ">=", "<", "<="]),
    value: Threshold,
    for: Type.Optional(Duration("The condition must hold this long; 0s fires at once.")),
    mOf: Type.Optional(
      Type.Array(Whole(1, 60, "Ticks."), {
        description: "Instead of `for`: [m, n] of the newest n ticks must be over.",
      }),
    ),
    recover: Type.Optional(
      Type.Object(
        { value: Threshold, for: Duration("The recovery must hold this long.") },
        { ...closed, description: "Leaving needs the healthy side of this value." },
      ),
    ),
    notify: Type.Array(Type.String(), {
      minItems: 1,
      uniqueItems: true,
      description: "Receivers of routes.yaml.",
    }),
    runbook: Type.Optional(
      Type.String({ description: "The first runbook, a name of runbooks/catalogue.yaml." }),
    ),
  },
  closed,
);

export const AlertsFile = byName(
  Type.Object(
    {
      summary: Type.String({
        minLength: 1,
        maxLength: 200,
        description: "One sentence for people.",
      }),
      every: Type.Optional(Duration("How often it is evaluated. Default 15s.")),
      signal: Signal,
      combine: Type.Optional(
        Type.Enum(["sum", "avg", "min", "max"], {
          description:
            "How the series of one instance become one; needed where a label is not in `by`.",
        }),
      ),
      by: Type.Optional(
        Type.Array(Type.String(), {
          uniqueItems: true,
          description: "Labels that make an instance. Default none.",
        }),
      ),
      levels: Type.Record(Type.String({ pattern: PATTERNS.name }), Level, {
        ...closed,
        minProperties: 1,
        description: "Least severe first, strictest last.",
      }),
      noData: Type.Optional(
        Type.Object(
          {
            after: Duration("Silence of the metric that counts as no data."),
            then: Type.Enum(["hold", "ok", "breach", "alert"]),
          },
          { ...closed, description: "Default: hold after 2m. Not for the form `age`." },
        ),
      ),
      cooldown: Type.Optional(Duration("Quiet time after a told end. Default 30m.")),
      group: Type.Optional(
        Type.Object(
          {
            by: Type.Optional(
              Type.Array(Type.String(), {
                uniqueItems: true,
                description:
                  "Labels of the rule's `by` whose instances are told together. Default: all of them.",
              }),
            ),
            wait: Type.Optional(Duration("Before the first word. Default 30s.")),
            interval: Type.Optional(Duration("Between words on the same group. Default 5m.")),
            repeat: Type.Optional(Duration("Says it again while it fires. Default 4h.")),
          },
          closed,
        ),
      ),
      inhibitedBy: Type.Optional(
        Type.Array(
          Type.Object(
            {
              rule: Type.String({ description: "A rule of alerts/*.yaml." }),
              equal: Type.Optional(
                Type.Array(Type.String(), {
                  uniqueItems: true,
                  description: "Labels that must be the same in both. Default none.",
                }),
              ),
            },
            closed,
          ),
          {
            minItems: 1,
            uniqueItems: true,
            description: "While one of these fires, this one is judged and not told.",
          },
        ),
      ),
    },
    closed,
  ),
);
