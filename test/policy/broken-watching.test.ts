/** Silences, ticks, burn rates, inhibitors, histograms and the bounds of monitoring: what is refused, and at which place. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { checkPolicies, loadPolicySet } from "../../src/policy/bundle.js";
import { withEdit, withFile } from "./shipped.js";

const SYSTEM = "policies/algobrain";
const FACTS = { today: "2026-11-22", runbookFiles: null };

type Case = readonly [string, string, readonly string[]];

/** A text with a mark `¦` before each place where something is said. */
function findings(path: string, marked: string) {
  const [first, ...parts] = marked.split("¦");
  let text = first!;
  const places = parts.map((part) => {
    const lines = text.split("\n");
    text += part;
    return `${path}:${lines.length}:${lines.at(-1)!.length + 1}`;
  });
  const found = checkPolicies(withFile(path, text), FACTS).map(formatProblem);
  return { places, found };
}

function expectSaid(path: string, marked: string, said: readonly string[]): void {
  const { places, found } = findings(path, marked);
  expect(found.sort()).toEqual(said.map((words, at) => `${places[at]}: ${words}`).sort());
}

const SILENCE = `quiet:
  starts: 2026-12-01T02:00:00Z
  ends: 2026-12-01T04:00:00Z
  owner: example-operator
  reason: The index is moved.
  matchers: ['rule="queue-depth-high"', 'worker_type=~"index|score"']
`;
const silence = (from: string, to: string) => {
  expect(SILENCE).toContain(from);
  return SILENCE.replace(from, () => to);
};
const matchers = (list: string) => silence(SILENCE.split("matchers: ")[1]!.trimEnd(), list);

const SILENCES: readonly Case[] = [
  ["a good one", SILENCE, []],
  ["no matcher at all", matchers("¦[]"), ["found an empty list, expected at least 1 entry"]],
  [
    "matchers that pick no rule",
    `¦${matchers(`['severity="sev3"']`)}`,
    [
      'would hide every alert, expected a matcher that picks a rule, an alertname or a level (such as rule="queue-depth-high")',
    ],
  ],
  [
    "a pattern that matches every rule",
    `¦${matchers(`['rule=~".+"']`)}`,
    [
      'would hide every alert, expected a matcher that picks a rule, an alertname or a level (such as rule="queue-depth-high")',
    ],
  ],
  [
    "every level but one",
    `¦${matchers(`['level!="AR-06"']`)}`,
    [
      'would hide every alert, expected a matcher that picks a rule, an alertname or a level (such as rule="queue-depth-high")',
    ],
  ],
  [
    "a pattern that matches every level",
    `¦${matchers(`['level=~"AR-.*"']`)}`,
    [
      'would hide every alert, expected a matcher that picks a rule, an alertname or a level (such as rule="queue-depth-high")',
    ],
  ],
  [
    "a rule and the level of another",
    `¦${matchers("[rule=queue-depth-high, level=AR-31]")}`,
    ["would hide nothing: no alert of alerts/*.yaml has all of that"],
  ],
  ["a rule and one of its levels", matchers("[rule=queue-depth-high, level=AR-06]"), []],
  [
    "a level by its name, and not by its id",
    matchers("[¦level=high]"),
    ['found "level=high", which is true of no alert of alerts/*.yaml'],
  ],
  [
    "a rule that there is not",
    matchers(`[¦'rule="queue-depht-high"']`),
    ['unknown rule "queue-depht-high" (did you mean "queue-depth-high"?)'],
  ],
  [
    "a pattern that no rule has",
    matchers(`[¦'rule=~"queues-.*"']`),
    [`found "rule=~\\"queues-.*\\"", which is true of no alert of alerts/*.yaml`],
  ],
  [
    "a matcher that is none",
    matchers("[¦queue-depth-high]"),
    ['found "queue-depth-high", expected a label, one of = != =~ !~ and a value: rule="api-down"'],
  ],
  [
    "a pattern that could hold the process up",
    matchers(`['rule="queue-depth-high"', ¦'worker_type=~"(a+)+"']`),
    [
      `found "worker_type=~\\"(a+)+\\"", which repeats a group, expected * and + after a single character`,
    ],
  ],
  [
    "an end before its beginning",
    silence("ends: 2026-12-01T04:00:00Z", "ends: ¦2026-12-01T01:00:00Z"),
    ['found "2026-12-01T01:00:00Z", expected later than starts'],
  ],
  [
    "more than thirty days",
    silence("ends: 2026-12-01T04:00:00Z", "ends: ¦2026-12-31T02:00:01Z"),
    [
      'found "2026-12-31T02:00:01Z", expected at most 30 days after starts: silences.longest of monitoring.yaml (write 2026-12-31T02:00:00Z or sooner)',
    ],
  ],
  ["thirty days", silence("ends: 2026-12-01T04:00:00Z", "ends: 2026-12-31T02:00:00Z"), []],
  [
    "pages held back for more than four hours",
    silence("ends: 2026-12-01T04:00:00Z", "ends: ¦2026-12-01T06:00:01Z\n  silencesPages: true"),
    [
      'found "2026-12-01T06:00:01Z", expected at most 4 hours after starts: silences.longestPages of monitoring.yaml (write 2026-12-01T06:00:00Z or sooner)',
    ],
  ],
  [
    "a day that there is not",
    silence("starts: 2026-12-01", "starts: ¦2026-11-31"),
    ['found "2026-11-31T02:00:00Z", which is no moment'],
  ],
  [
    "an owner whom nobody knows",
    silence("owner: example-operator", "owner: ¦example-operater"),
    ['unknown owner "example-operater" (did you mean "example-operator"?)'],
  ],
  [
    "a reason that is none",
    silence("The index is moved.", "¦because"),
    ['found "because", expected at least 10 characters'],
  ],
  [
    "one that is over",
    silence("starts: 2026-12-01", "starts: 2026-11-21").replace(
      "ends: 2026-12-01T04:00:00Z",
      "ends: ¦2026-11-21T04:00:00Z",
    ),
    ['found "2026-11-21T04:00:00Z", which is past: today is 2026-11-22 (take the silence out)'],
  ],
];

/** A rule on a counter of its own, so that nothing else is said. */
const RULE = `made-up:
  summary: Made up.
  signal:
    increase: { metric: algobrain.jobs.started_total, over: 5m }
  by: [worker_type]
  levels:
    high:
      id: AR-990
      severity: sev3
      op: ">"
      value: 1
      for: 5m
      notify: [ops]
`;
const rule = (from: string, to: string) => {
  expect(RULE).toContain(from);
  return RULE.replace(from, () => to);
};
const burn = (long: string, short: string, op = '">"') =>
  rule(
    "increase: { metric: algobrain.jobs.started_total, over: 5m }",
    `burn:
      bad: { metric: algobrain.jobs.failed_total }
      all: { metric: algobrain.jobs.started_total }
      slo: 0.999
      long: ${long}
      short: ${short}
      minAll: 100`,
  ).replace('op: ">"', `op: ${op}`);
const LAST = "increase: { metric: algobrain.jobs.started_total, over: 5m }";
const buckets = (form: string) => rule(LAST, form);
const RUNS = "metric: algobrain.jobs.run_duration";
const WATCHED = "algobrain.jobs.started_total";

const RULES: readonly Case[] = [
  ["a good one of ticks", rule("for: 5m", "mOf: [3, 5]"), []],
  ["a good burn rate", burn("1h", "5m", '">="'), []],
  [
    "a good percentile of a histogram",
    buckets(`agg: { ${RUNS}, fn: p95, over: 5m, fullWindow: false }`).replace(
      "value: 1",
      "value: 1m",
    ),
    [],
  ],
  [
    "for and mOf",
    rule("for: 5m", "for: 5m\n      ¦mOf: [3, 5]"),
    ["found for and mOf, expected either of them (leave one of them out)"],
  ],
  [
    "neither for nor mOf",
    rule("      for: 5m\n", "").replace("    high:", "    ¦high:"),
    [
      'missing key "for", expected a duration such as 90s, 5m or 1h30m (0s fires at once; mOf: [3, 5] counts ticks instead)',
    ],
  ],
  [
    "more ticks over than there are",
    rule("for: 5m", "mOf: [¦5, 3]"),
    ["found 5 of 3 ticks, expected at most 3 (write [3, 5])"],
  ],
  [
    "one number of ticks",
    rule("for: 5m", "mOf: ¦[3]"),
    ["found 1 number, expected two (write [m, n]: m of the newest n ticks, such as [3, 5])"],
  ],
  ["more ticks than are kept", rule("for: 5m", "mOf: [3, ¦61]"), ["found 61, expected at most 60"]],
  [
    "ticks that recover in time",
    rule("for: 5m", "mOf: [3, 5]\n      recover: { value: 0, for: 5m }"),
    [],
  ],
  [
    "a short window that is long",
    burn("1h", "¦31m"),
    ['found "31m", expected at most half of long ("1h") (a twelfth is usual: 1h and 5m)'],
  ],
  [
    "a burn rate that is too low",
    burn("1h", "5m", '¦"<"'),
    ['found "<" in the form burn, expected > or >='],
  ],
  [
    "a burn rate of a gauge",
    burn("1h", "5m").replace(
      "bad: { metric: algobrain.jobs.failed_total }",
      "bad: { metric: ¦algobrain.jobs.running }",
    ),
    ["found a gauge in the form burn, expected a counter"],
  ],
  [
    "an average of a histogram",
    buckets(`agg: { ${RUNS}, fn: ¦avg, over: 5m, fullWindow: false }`),
    ['found "avg" of a histogram, expected count, p50, p90, p95, p99 or p999'],
  ],
  [
    "the newest sample of a histogram",
    buckets(`last: { ${RUNS.replace(" ", " ¦")} }`),
    [
      "found a histogram in the form last, expected the form agg (such as agg: { …, fn: p95, over: 5m, fullWindow: false })",
    ],
  ],
  [
    "one bucket of a histogram",
    buckets(`agg: { ${RUNS}, where: { ¦le: "100" }, fn: p95, over: 5m, fullWindow: false }`),
    ["found one bucket of a histogram, expected all of them"],
  ],
  [
    "a parent that there is not",
    `${RULE}  inhibitedBy: [{ rule: ¦service-downs }]\n`,
    ['unknown rule "service-downs" (did you mean "service-down"?)'],
  ],
  [
    "a label that the parent has not",
    `${RULE}  inhibitedBy: [{ rule: service-down, equal: [¦worker_type] }]\n`,
    [
      'found "worker_type", expected a label in the by of service-down (service-down has one instance)',
    ],
  ],
  [
    "a label that neither has",
    `${RULE}  inhibitedBy: [{ rule: worker-type-error-rate, equal: [¦host] }]\n`,
    ['found "host", expected a label in the by of this rule (this rule is by worker_type)'],
  ],
  [
    "a rule that holds itself back",
    `${RULE}  inhibitedBy: [{ rule: ¦made-up }]\n`,
    ["found a circle: made-up → made-up, in which nobody speaks"],
  ],
  [
    "a circle of three",
    `${RULE}  inhibitedBy: [{ rule: ¦made-up-b }]\n${again("made-up-b", 991)}  inhibitedBy: [{ rule: made-up-c }]\n${again("made-up-c", 992)}  inhibitedBy: [{ rule: made-up }]\n`,
    ["found a circle: made-up → made-up-b → made-up-c → made-up, in which nobody speaks"],
  ],
  [
    "a group by what makes no instance",
    `${RULE}  group: { by: [¦worker] }\n`,
    ['found "worker", expected a label in the by of this rule (did you mean "worker_type"?)'],
  ],
];

/** The same rule under another name, over another window. */
function again(name: string, id: number): string {
  return RULE.replace("made-up:", `${name}:`)
    .replace("AR-990", `AR-${id}`)
    .replace("over: 5m", `over: ${id}s`)
    .replace("Made up.", `Made up ${id}.`);
}

describe("silences.yaml", () => {
  it.each(SILENCES)("%s", (_, text, said) => {
    expectSaid(`${SYSTEM}/silences.yaml`, text, said);
  });

  it("is judged by the limits of monitoring.yaml", () => {
    const { files, places } = withEdit(`${SYSTEM}/monitoring.yaml`, "longest: 30d", "longest: ¦4h");
    expect(places).toHaveLength(1);
    const long = SILENCE.replace("T04:00:00Z", "T06:00:01Z");
    const all = [
      ...files.filter(({ path }) => !path.endsWith("silences.yaml")),
      { path: `${SYSTEM}/silences.yaml`, text: long },
    ];
    expect(checkPolicies(all, FACTS).map(({ message }) => message)).toEqual([
      'found "2026-12-01T06:00:01Z", expected at most 4 hours after starts: silences.longest of monitoring.yaml',
    ]);
  });

  it("may be there for a runtime, though it is over", () => {
    const over = SILENCE.replaceAll("2026-12-01", "2026-11-01");
    const files = withFile(`${SYSTEM}/silences.yaml`, over);
    expect(checkPolicies(files).map(formatProblem)).toEqual([]);
    expect(checkPolicies(files, FACTS)).toHaveLength(1);
  });
});

describe("a rule that watches in a new way", () => {
  it.each(RULES)("%s", (_, text, said) => {
    // Each names metrics that are said to be unwatched, so that is not what is looked for here.
    const { places, found } = findings(`${SYSTEM}/alerts/made-up.yaml`, text);
    const ours = found.filter((line) => !line.includes("found unwatched"));
    expect(ours.sort()).toEqual(said.map((words, at) => `${places[at]}: ${words}`).sort());
  });
});

describe("the bounds of monitoring and routes", () => {
  it.each<[string, string, string, string, string[]]>([
    [
      "one metric that may have more series than all",
      "monitoring",
      "perMetricMax: 500",
      "perMetricMax: ¦2001",
      ["found 2001, expected perMetricMax (2001) within seriesMax (2000)"],
    ],
    [
      "pages that may be silent for longer than warnings",
      "monitoring",
      "longestPages: 4h",
      "longestPages: ¦31d",
      ['found "31d", expected longestPages (31d) within longest (30d)'],
    ],
    [
      "a path that leads to another host",
      "monitoring",
      "paths: [/health, /health/live]",
      "paths: [/health, ¦//example.com/health]",
      ['found "//example.com/health", expected a path on the host of the API, such as /health'],
    ],
    [
      "more paths than are asked at once",
      "monitoring",
      "paths: [/health, /health/live]",
      `paths: ¦[${Array.from({ length: 21 }, (_, at) => `/p${at}`).join(", ")}]`,
      ["found 21 paths, expected 20 at most"],
    ],
    [
      "a path that is waited for longer than a look takes",
      "monitoring",
      "within: 5s",
      "within: ¦31s",
      ['found "31s", expected 100ms to 30s'],
    ],
    [
      "an outlet that there is not",
      "monitoring",
      "  grafana:",
      "  ¦graphana:",
      ['unknown key "graphana" (did you mean "grafana"?)'],
    ],
    [
      "a histogram without buckets",
      "metrics",
      "kind: histogram\n  labels: [host, le]",
      "kind: ¦histogram\n  labels: [host]",
      ["found a histogram without the label le, which bounds its buckets"],
    ],
  ])("%s", (_, file, from, to, said) => {
    const { files, places } = withEdit(`${SYSTEM}/${file}.yaml`, from, to);
    const found = checkPolicies(files, FACTS).map(formatProblem);
    expect(found.sort()).toEqual(said.map((words, at) => `${places[at]}: ${words}`).sort());
  });

  it.each<[string, string, string[]]>([
    ["a good address", "kind: email\n    to: [ops@example.com]", []],
    ["no address", "kind: email", ['missing key "to", which an email receiver needs']],
    [
      "an address that is none",
      "kind: email\n    to: [¦ops]",
      ['found "ops", expected an address such as ops@example.com'],
    ],
    [
      "an address for Slack",
      'kind: slack\n    channel: "#a"\n    ¦to: [ops@example.com]',
      ['found "to", which a slack receiver does not use'],
    ],
  ])("%s of a receiver", (_, text, said) => {
    const { files } = withEdit(
      "policies/routes.yaml",
      "receivers:",
      `receivers:\n  mail:\n    ${text}`,
    );
    expect(checkPolicies(files, FACTS).map(({ message }) => message)).toEqual(said);
  });
});

it("the metric of the made-up rules is one that nobody watches", () => {
  const messages = findings(`${SYSTEM}/alerts/made-up.yaml`, RULE).found;
  expect(messages).toEqual([expect.stringContaining(`the rule made-up watches ${WATCHED}`)]);
});

it("a silence may be that of one environment alone", () => {
  const overlay = `${SYSTEM}/environments/staging.yaml`;
  const section = `silences:\n${SILENCE.replace(/^/gm, "  ").trimEnd()}\n`;
  const { files } = withEdit(overlay, "retention:", `${section}retention:`);
  expect(checkPolicies(files, FACTS).map(formatProblem)).toEqual([]);
  const quiet = (environment: string) => {
    const loaded = loadPolicySet(files, environment);
    return loaded.ok ? loaded.value.silences.map(({ name }) => name) : loaded.problems;
  };
  expect([quiet("staging"), quiet("production")]).toEqual([["quiet"], []]);
});
