/** What we write for others asks for nothing that we do not emit: each query finds a series, by the names it has there. */
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { datadogMonitors } from "../../src/alert/outlet/datadog.js";
import { datadogDashboard } from "../../src/alert/outlet/datadog-dashboard.js";
import { HEARTBEAT } from "../../src/alert/outlet/datadog-query.js";
import { datadogOrigin } from "../../src/alert/outlet/datadog-series.js";
import { grafanaDashboard } from "../../src/alert/outlet/grafana-dashboard.js";
import { prometheusRules } from "../../src/alert/outlet/prometheus.js";
import { prometheusName } from "../../src/alert/outlet/prometheus-name.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { Metric, PolicySet } from "../../src/policy/policy.js";
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

/** Words before a brace, a bracket, or a comparison that look like a metric of ours. */
const PROMETHEUS_NAME = /\balgobrain_[a-z0-9_]+/g;

function findUnexposed(expressions: readonly string[], metrics: PolicySet["metrics"]): string[] {
  const exposed = new Set(
    Object.values(metrics)
      .filter(isEmitted)
      .flatMap((metric) => {
        const { name } = prometheusName(metric);
        return metric.kind === "histogram"
          ? ["_bucket", "_count", "_sum"].map((end) => name + end)
          : [name];
      }),
  );
  const asked = new Set(expressions.flatMap((text) => text.match(PROMETHEUS_NAME) ?? []));
  return [...asked].filter((name) => !exposed.has(name));
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
    expect(findUnexposed(["max(algobrain_jobs_pendig) > 1"], metrics)).toEqual([
      "algobrain_jobs_pendig",
    ]);
  });
});
