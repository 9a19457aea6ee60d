/** One rule, broken in many ways: shape, units, names, order. */
import { describe, expect, it } from "vitest";
import { linesOf, withFile } from "./shipped.js";

const PATH = "policies/algobrain/alerts/new.yaml";

/** p95 of p95 is a quantity that no shipped rule watches, so these bands are its own. */
const RULE = `too-slow:
  summary: Too slow.
  signal:
    agg: { metric: algobrain.api.latency_p95_ms, fn: p95, over: 1m, fullWindow: false }
  levels:
    high:
      id: AR-99
      severity: sev2
      op: ">"
      value: 1000
      for: 5m
      notify: [ops]
      runbook: health-check
`;

/** With a milder level before it. */
const TWO_LEVELS = RULE.replace(
  "    high:",
  `    medium:
      id: AR-98
      severity: sev3
      op: ">"
      value: 500
      for: 5m
      notify: [ops]
    high:`,
);

const edit = (from: string, to: string) => RULE.replace(from, to);
const SIGNAL =
  "agg: { metric: algobrain.api.latency_p95_ms, fn: p95, over: 1m, fullWindow: false }";
const signal = (text: string) => edit(SIGNAL, text);
const ratio = (value: string) =>
  signal("last: { metric: algobrain.cache.hit_rate }").replace("1000", value);

/** What is wrong → the text → what `policy check` says after the name of the file. */
const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "a wrong type",
    edit("value: 1000", "value: soon"),
    ['new:10:14: found "soon", expected a number or a duration such as 90s, 5m or 1h30m'],
  ],
  [
    "nothing where a number is due",
    edit("value: 1000", "value:"),
    ["new:10:7: found nothing, expected a number or a duration such as 90s, 5m or 1h30m"],
  ],
  [
    "a number in quotes",
    edit("value: 1000", "value: '1000'"),
    [
      'new:10:14: found "1000", expected a number or a duration such as 90s, 5m or 1h30m (remove the quotes)',
    ],
  ],
  [
    "an unknown key",
    edit("value:", "treshold: 1\n      value:"),
    [
      'new:10:7: unknown key "treshold" (known keys: id, severity, op, value, for, mOf, recover, notify, runbook)',
    ],
  ],
  [
    "a key that is near another one",
    edit("notify:", "notfy:"),
    [
      'new:6:5: missing key "notify", expected a list',
      'new:12:7: unknown key "notfy" (did you mean "notify"?)',
    ],
  ],
  [
    "a missing key",
    edit("      for: 5m\n", ""),
    [
      'new:6:5: missing key "for", expected a duration such as 90s, 5m or 1h30m (0s fires at once; mOf: [3, 5] counts ticks instead)',
    ],
  ],
  [
    "a duration in words",
    edit("for: 5m", "for: 5 mins"),
    ['new:11:12: found "5 mins", expected a duration such as 90s, 5m or 1h30m (write 5m)'],
  ],
  [
    "a duration without a unit",
    edit("for: 5m", "for: 300"),
    [
      "new:11:12: found 300, expected a duration such as 90s, 5m or 1h30m (with a unit, such as 300s)",
    ],
  ],
  [
    "a severity that is none",
    edit("sev2", "critical"),
    ['new:8:17: found "critical", expected one of sev1, sev2, sev3, sev4 (write sev1)'],
  ],
  [
    "a comparison that is none",
    edit('">"', '"=="'),
    ['new:9:11: found "==", expected one of >, >=, <, <= (did you mean "<=" or ">="?)'],
  ],
  [
    "a name with capitals",
    edit("too-slow", "Too Slow"),
    [
      'new:1:1: found the name "Too Slow", expected lower-case words joined by dashes, such as queue-depth-high',
    ],
  ],
  [
    "an id of another form",
    edit("AR-99", "99"),
    ["new:7:11: found 99, expected an id such as AR-06"],
  ],
  [
    "no receiver",
    edit("[ops]", "[]"),
    ["new:12:15: found an empty list, expected at least 1 entry"],
  ],
  [
    "a receiver twice",
    edit("[ops]", "[ops, ops]"),
    ["new:12:15: found a list, expected each entry once, but entries 1 and 2 are equal"],
  ],
  [
    "one receiver without a list",
    edit("[ops]", "ops"),
    ['new:12:15: found "ops", expected a list'],
  ],
  [
    "two forms of signal",
    signal(
      "last: { metric: algobrain.api.latency_p95_ms }\n    age: { metric: algobrain.orchestrator.heartbeat }",
    ),
    [
      "new:3:3: found last and age, expected exactly one of last, agg, rate, increase, ratio, div, age, burn",
    ],
  ],
  [
    "no form of signal",
    signal("{}"),
    [
      "new:3:3: found nothing, expected exactly one of last, agg, rate, increase, ratio, div, age, burn",
    ],
  ],
  [
    "an unknown form of signal",
    signal("lasst: { metric: algobrain.api.latency_p95_ms }"),
    ['new:4:5: unknown key "lasst" (did you mean "last"?)'],
  ],
  [
    "no levels",
    RULE.slice(0, RULE.indexOf("  levels:")).concat("  levels: {}\n"),
    ["new:5:3: found nothing, expected at least 1 entry"],
  ],
  [
    "an unknown metric",
    signal("last: { metric: algobrain.api.latency_p95 }"),
    [
      'new:4:21: unknown metric "algobrain.api.latency_p95" (did you mean "algobrain.api.latency_p95_ms"?)',
    ],
  ],
  [
    "an unknown label",
    signal("last: { metric: algobrain.jobs.pending, where: { kind: gc } }").concat(
      "  combine: sum\n",
    ),
    ['new:4:54: unknown label "kind", the metric has the labels worker_type'],
  ],
  [
    "an unknown label of instances",
    edit("  levels:", "  by: [worker_type]\n  levels:"),
    ['new:5:8: unknown label "worker_type", the metric has no labels'],
  ],
  [
    "a label that nobody combines",
    signal("last: { metric: algobrain.jobs.pending }"),
    [
      'new:4:11: missing key "combine": the metric has the label worker_type, expected sum, avg, min or max (or write by: [worker_type] for one instance each)',
    ],
  ],
  [
    "a gauge as a counter",
    signal("rate: { metric: algobrain.jobs.pending, over: 5m }").concat("  combine: sum\n"),
    ["new:4:21: found a gauge in the form rate, expected a counter"],
  ],
  [
    "a timestamp as a value",
    signal("last: { metric: algobrain.orchestrator.heartbeat }"),
    ["new:4:11: found a timestamp as a value, expected the form age"],
  ],
  [
    "a window shorter than the tick",
    signal("agg: { metric: algobrain.api.latency_p95_ms, fn: p90, over: 10s, fullWindow: true }"),
    ['new:4:65: found "10s", expected no less than every (15s)'],
  ],
  [
    "95 on a ratio",
    ratio("95"),
    ["new:10:14: found 95, expected a fraction from 0 to 1 (write 0.95)"],
  ],
  [
    "a percentage on a ratio",
    ratio("95%"),
    [
      'new:10:14: found "95%", expected a number or a duration such as 90s, 5m or 1h30m (write 0.95)',
    ],
  ],
  ["a time on a ratio", ratio("60s"), ['new:10:14: found "60s", expected a fraction from 0 to 1']],
  ["a ratio above 1", ratio("1"), ["new:10:14: found > 1, which can never be true"]],
  ["a negative threshold", edit("1000", "-1"), ["new:10:14: found -1, expected 0 or more"]],
  [
    "90 for a part of a whole",
    signal(
      "div: { num: { metric: algobrain.db.connections }, den: { metric: algobrain.db.pool_size }, fn: avg, over: 1m, fullWindow: true }",
    ).replace("1000", "90"),
    ["new:10:14: found 90, expected a fraction from 0 to 1 (write 0.9)"],
  ],
  [
    "no data with an age",
    signal("age: { metric: algobrain.api.latency_p95_ms }").concat(
      "  noData: { after: 2m, then: ok }\n",
    ),
    ["new:14:11: found noData with the form age, which is about missing data (leave noData out)"],
  ],
  [
    "a recovery where the level fires",
    edit("notify:", "recover: { value: 1200, for: 2m }\n      notify:"),
    ["new:12:25: found 1200, expected at most 1000, where the level fires"],
  ],
  [
    "an unknown receiver",
    edit("[ops]", "[opps]"),
    ['new:12:16: unknown receiver "opps" (did you mean "ops"?)'],
  ],
  [
    "an unknown runbook",
    edit("health-check", "helth-check"),
    ['new:13:16: unknown runbook "helth-check" (did you mean "health-check"?)'],
  ],
  [
    "a runbook like no other",
    edit("health-check", "turn-it-off-and-on"),
    ['new:13:16: unknown runbook "turn-it-off-and-on" (see runbooks/catalogue.yaml)'],
  ],
  [
    "the id of another rule",
    edit("AR-99", "AR-16"),
    ['new:7:11: found level id "AR-16" twice, first at policies/algobrain/alerts/host.yaml:41'],
  ],
  [
    "levels in the wrong order",
    TWO_LEVELS.replace("sev3", "sev1"),
    ['new:15:17: found "sev2", expected one more severe than "sev1" of the level before'],
  ],
  [
    "a later level that is less strict",
    TWO_LEVELS.replace("value: 500", "value: 2000"),
    ["new:17:14: found 1000, expected more than 2000 of the level before"],
  ],
  [
    "a later level that looks the other way",
    TWO_LEVELS.replace('op: ">"', 'op: "<"'),
    ['new:16:11: found ">", expected < as in the level before'],
  ],
  [
    "the name of another rule",
    signal("last: { metric: algobrain.jobs.pending }")
      .concat("  combine: sum\n")
      .replace("too-slow:", "queue-depth-high:"),
    ['policies/algobrain/alerts/queues.yaml:6:1: found "queue-depth-high" twice, first at new:1'],
  ],
  [
    "seven mistakes at once",
    RULE.replace("Too slow.", "''")
      .replace("latency_p95_ms", "latency")
      .replace("AR-99", "AR-16")
      .replace("sev2", "sev5")
      .replace("5m", "5min")
      .replace("[ops]", "[opps]")
      .replace("runbook", "runbok"),
    [
      'new:2:12: found "", expected at least 1 character',
      'new:4:20: unknown metric "algobrain.api.latency" (did you mean "algobrain.api.latency_p95_ms" or "algobrain.api.latency_p99_ms"?)',
      'new:7:11: found level id "AR-16" twice, first at policies/algobrain/alerts/host.yaml:41',
      'new:8:17: found "sev5", expected one of sev1, sev2, sev3, sev4 (did you mean "sev1" or "sev2" or "sev3"?)',
      'new:11:12: found "5min", expected a duration such as 90s, 5m or 1h30m (write 5m)',
      'new:12:16: unknown receiver "opps" (did you mean "ops"?)',
      'new:13:7: unknown key "runbok" (did you mean "runbook"?)',
    ],
  ],
];

describe("an alert rule", () => {
  it.each(CASES)("with %s is refused at its place", (_, text, expected) => {
    const lines = linesOf(withFile(PATH, text)).map((line) => line.replaceAll(PATH, "new"));
    expect(lines).toEqual(expected);
  });

  it("is accepted with one level, with two, and in each form", () => {
    const forms = [
      "agg: { metric: algobrain.api.latency_p95_ms, fn: p95, over: 1m, fullWindow: false }",
      "age: { metric: algobrain.orchestrator.heartbeat }",
      "last: { metric: algobrain.jobs.pending, where: { worker_type: gc } }",
      "div: { num: { metric: algobrain.jobs.pending }, den: { metric: algobrain.workers.alive }, fn: avg, over: 1m, fullWindow: true, unit: number }",
    ];
    for (const text of [
      RULE,
      TWO_LEVELS,
      ...forms.map((form) => `${signal(form)}  combine: sum\n`),
    ])
      expect(linesOf(withFile(PATH, text))).toEqual([]);
  });

  it("on one kind may fire below the target of scaling, which is of all kinds (X-10)", () => {
    const one = signal("last: { metric: algobrain.jobs.pending, where: { worker_type: gc } }");
    const text = `${one}  combine: sum\n`.replace("1000", "100");
    expect(linesOf(withFile(PATH, text))).toEqual([]);
  });
});
