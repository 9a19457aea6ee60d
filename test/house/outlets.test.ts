/** What we write for others asks for nothing that we do not emit: each query finds a series, by the names it has there. */
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { datadogMonitors } from "../../src/alert/outlet/datadog.js";
import { datadogDashboard } from "../../src/alert/outlet/datadog-dashboard.js";
import { HEARTBEAT } from "../../src/alert/outlet/datadog-query.js";
import { datadogOrigin } from "../../src/alert/outlet/datadog-series.js";
import { grafanaDashboard } from "../../src/alert/outlet/grafana-dashboard.js";
import { prometheusRules } from "../../src/alert/outlet/prometheus.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { Metric, PolicySet } from "../../src/policy/policy.js";
import { renderRounds } from "../../src/runtime/exposition.js";
import { SHIPPED } from "../policy/shipped.js";

const ENVIRONMENTS = ["local", "staging", "production"];

function policyOf(environment: string): PolicySet {
  const checked = loadPolicySet(SHIPPED, environment);
  if (!checked.ok) throw new Error("the policies are invalid: see test/policy/shipped.test.ts");
  return checked.value;
}

const isEmitted = ({ planned, source }: Metric): boolean =>
  planned === undefined && source === "runtime";

/** `avg:NAME{tag:value} by {tag}` → the name and every tag it asks for. */
const DATADOG_SERIES = /(?:avg|sum|min|max):([a-z0-9_.]+)\{([^}]*)\}(?: by \{([^}]*)\})?/g;

function findUnsent(queries: readonly string[], metrics: PolicySet["metrics"]): string[] {
  const found = queries.flatMap((query) => [...query.matchAll(DATADOG_SERIES)]);
  return found.flatMap(([text, name, scope, by = ""]) => {
    const { metric, tags } = datadogOrigin(name!);
    const known = metrics[metric];
    if (!known || !isEmitted(known)) return [`${text}: nobody emits ${name}`];
    const asked = [...scope!.split(",").map((pair) => pair.split(":")[0]!), ...by.split(",")];
    const wrong = asked.filter(
      (tag) => tag !== "*" && tag !== "" && ![...known.labels, ...tags].includes(tag),
    );
    return wrong.map((tag) => `${text}: ${name} has no tag ${tag}`);
  });
}

/** What EP-24 shows when everything is measured: metric name → labels. */
function exposedBy(metrics: PolicySet["metrics"]): ReadonlyMap<string, readonly string[]> {
  const samples = Object.values(metrics)
    .filter(isEmitted)
    .map(({ name, labels }) => ({
      ...{ metric: name, value: 1 },
      labels: Object.fromEntries(labels.map((label) => [label, label === "le" ? "+Inf" : "x"])),
    }));
  const text = renderRounds([{ slot: new Date(0), source: "leader", samples }], metrics);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line)!;
      return [name!, [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label!)];
    }),
  );
}

const PROMETHEUS_NAME = /\balgobrain_[a-z0-9_]+/g;
const BY_LABELS = /by \(([^)]*)\)/g;

function findUnexposed(expressions: readonly string[], metrics: PolicySet["metrics"]): string[] {
  const exposed = exposedBy(metrics);
  return expressions.flatMap((text) => {
    const names = text.match(PROMETHEUS_NAME) ?? [];
    const known = new Set(names.flatMap((name) => exposed.get(name) ?? []));
    const asked = [...text.matchAll(BY_LABELS)].flatMap(([, list]) => list!.split(", "));
    return [
      ...names.filter((name) => !exposed.has(name)).map((name) => `nobody shows ${name}`),
      ...asked.filter((label) => !known.has(label)).map((label) => `${text}: no label ${label}`),
    ];
  });
}

interface Files {
  readonly monitors: readonly { readonly query: string; readonly type: string }[];
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
}

const texts = (value: unknown): string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : [];
};

describe.each(ENVIRONMENTS)("in %s", (environment) => {
  const policy = policyOf(environment);
  const { monitors } = load(datadogMonitors(policy).text) as Files;
  const { groups } = load(prometheusRules(policy).text) as Files;

  test("Datadog's monitors and dashboard ask for series that are sent", () => {
    const metric = monitors.filter(({ type }) => type === "metric alert").map(({ query }) => query);
    for (const query of metric) expect(query).toMatch(DATADOG_SERIES);
    const widgets = texts(datadogDashboard(policy).widgets).filter((text) => /\{.*\}/.test(text));
    expect(widgets).toHaveLength(3);
    expect(findUnsent([...metric, ...widgets], policy.metrics)).toEqual([]);
    const checks = monitors.filter(({ type }) => type === "service check");
    for (const { query } of checks) expect(query).toContain(`"${HEARTBEAT}"`);
  });

  test("Prometheus' rules and Grafana's panels ask for series that are exposed", () => {
    const rules = groups.flatMap((group) => group.rules.map(({ expr }) => expr));
    expect(rules.length).toBeGreaterThan(30);
    const panels = texts(grafanaDashboard(policy).panels).filter(
      (text) => !/not measured/.test(text),
    );
    expect(findUnexposed([...rules, ...panels], policy.metrics)).toEqual([]);
  });

  test("every level is exported or left out with a reason, in each outlet", () => {
    const levels = policy.alerts.flatMap((rule) => rule.levels.map(({ id }) => id)).sort();
    for (const { text, leftOut } of [datadogMonitors(policy), prometheusRules(policy)]) {
      const written = levels.filter((id) => new RegExp(`"(level:)?${id}"`).test(text));
      expect([...written, ...leftOut.map(({ level }) => level)].sort()).toEqual(levels);
      for (const { reason } of leftOut) expect(reason).toMatch(/\w+ \w+/);
    }
  });
});

describe("the check itself", () => {
  const { metrics } = policyOf("local");

  test("a query that nothing answers is found", () => {
    const queries = [
      "avg(last_5m):avg:algobrain.worker.sucess_rate{*} < 1",
      "avg(last_5m):avg:algobrain.worker.success_rate{*} by {queue} < 1",
      "avg(last_5m):avg:algobrain.deployment.rolled_back{*} > 0",
    ];
    expect(findUnsent(queries, metrics)).toHaveLength(3);
    const wrong = ["max(algobrain_jobs_pendig) > 1", "max by (queue) (algobrain_jobs_pending) > 1"];
    expect(findUnexposed(wrong, metrics)).toEqual([
      "nobody shows algobrain_jobs_pendig",
      expect.stringContaining("no label queue"),
    ]);
  });
});
