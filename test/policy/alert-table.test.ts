/** Every number of the table of alert rules (requirements 6.2) stands in the shipped policies, and no other. */
import { describe, expect, it } from "vitest";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { AlertLevel, AlertRule, PolicySet, Severity } from "../../src/policy/policy.js";
import { selectorsOf } from "../../src/policy/selectors.js";
import {
  ALERT_TABLE,
  ERROR_RATE_TARGETS,
  OUR_LEVELS,
  type TableRow,
  THROUGHPUT_TARGETS,
  WAITING,
} from "../fixture/policy/alert-table.js";
import { SHIPPED, withEdit } from "./shipped.js";

/** One scale for all documents (design 8.8, X-26). */
const SCALE: Readonly<Record<TableRow["severity"], Severity>> = {
  ...{ critical: "sev1", high: "sev2", medium: "sev3", warning: "sev3", low: "sev4" },
};

function load(environment: string, files = SHIPPED): PolicySet {
  const checked = loadPolicySet(files, environment);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems, null, 2));
  return checked.value;
}

interface Found {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
}

function levelsOf(policy: PolicySet): ReadonlyMap<string, Found> {
  return new Map(
    policy.alerts.flatMap((rule) => rule.levels.map((level) => [level.id, { rule, level }])),
  );
}

function metricOf({ signal }: AlertRule): string {
  return selectorsOf(signal)[0]!.metric;
}

/** "avg 5 min" is a window that must be full, anything else is held (design 8.8); both may be said of one level. */
function durationOf({ rule: { signal }, level }: Found): number {
  const window = "fullWindow" in signal && signal.fullWindow ? signal.overMs : 0;
  return window + level.forMs;
}

function isPaged(policy: PolicySet, { level }: Found): boolean {
  return level.notify.some((name) => policy.routes.receivers[name]?.kind === "pagerduty");
}

/** What the policies say where the table says something. */
function traced(policy: PolicySet, row: TableRow) {
  const found = levelsOf(policy).get(row.id);
  if (!found) return null;
  const { rule, level } = found;
  return {
    metric: metricOf(rule),
    op: level.op,
    value: level.value,
    durationMs: durationOf(found),
    severity: level.severity,
    channel: isPaged(policy, found) ? "page" : "slack",
    runbook: level.runbook,
  };
}

function expected(row: TableRow) {
  const { metric, op, value, durationMs, severity, channel, runbook } = row;
  return { metric, op, value, durationMs, severity: SCALE[severity], channel, runbook };
}

const policy = load("production");
const levels = levelsOf(policy);

describe("the table of alert rules", () => {
  it("has 38 rows, and the policies have a level for each and ten of our own", () => {
    expect(ALERT_TABLE).toHaveLength(38);
    const wanted = [...ALERT_TABLE.map(({ id }) => id), ...OUR_LEVELS];
    expect([...levels.keys()].sort()).toEqual(wanted.sort());
  });

  it.each(ALERT_TABLE.map((row) => [row.id, row.name, row] as const))(
    "%s %s: metric, threshold, duration, severity, channel and runbook",
    (_id, _name, row) => {
      expect(traced(policy, row)).toEqual(expected(row));
    },
  );

  it("is traced: another number, duration, severity, receiver or runbook is found", () => {
    const rates = "policies/algobrain/alerts/api.yaml";
    const row = ALERT_TABLE.find(({ id }) => id === "AR-10")!;
    const edits = [
      ["value: 500\n", "value: 501\n"],
      ["id: AR-10\n      severity: sev3", "id: AR-10\n      severity: sev4"],
      ["value: 500\n      for: 5m", "value: 500\n      for: 6m"],
      ["for: 5m\n      notify: [ops]", "for: 5m\n      notify: [pagerduty]"],
      ["runbook: respond-high-latency", "runbook: health-check"],
    ] as const;
    for (const [from, to] of edits) {
      const changed = load("production", withEdit(rates, from, to).files);
      expect(traced(changed, row), to).not.toEqual(expected(row));
    }
  });

  it("names a rule as its row does, or the row is a milder or stricter line of another row's rule", () => {
    const named = new Set(ALERT_TABLE.map(({ name }) => name));
    for (const { id, name } of ALERT_TABLE) {
      const { rule } = levels.get(id)!;
      if (rule.name !== name) expect(rule.levels.length, id).toBe(2);
      expect(named, id).toContain(rule.name);
    }
  });

  it("wakes somebody in the channel of those on call as well, and nobody else does", () => {
    for (const [id, { level }] of levels) {
      const isPage = level.notify.includes("pagerduty");
      expect(level.notify, id).toEqual(isPage ? ["pagerduty", "oncall"] : ["ops"]);
    }
  });

  it("has a warning at 70 s in the row of AR-25", () => {
    const { rule, level } = levels.get("AR-107")!;
    expect(rule.name).toBe("job-latency-p95-high");
    expect([level.op, level.value, level.forMs, level.severity]).toEqual([
      ...[">", 70_000, 300_000, "sev3"],
    ]);
  });
});

describe("conditions that are more than one number", () => {
  it("AR-06 and AR-07 sum the kinds of work (X-28)", () => {
    expect(levels.get("AR-07")!.rule).toMatchObject({ combine: "sum", by: [] });
  });

  it("AR-19 needs 20 jobs, and judges each kind alone", () => {
    const { rule } = levels.get("AR-19")!;
    expect(rule.signal).toMatchObject({ form: "ratio", minAll: 20, overMs: 300_000 });
    expect(rule.by).toEqual(["worker_type"]);
  });

  it("AR-20 and AR-21 compare each of the twelve kinds with its own target in workers.yaml (HB-wrk-02…09)", () => {
    const signals = ["AR-20", "AR-21"].map((id) => levels.get(id)!.rule);
    expect(signals.map(({ by }) => by)).toEqual([["worker_type"], ["worker_type"]]);
    expect(signals.map(({ signal }) => signal)).toMatchObject([
      { form: "div", den: { metric: "algobrain.worker.error_rate_max" } },
      { form: "div", den: { metric: "algobrain.worker.throughput_target" } },
    ]);
    const targets = PUBLIC_KINDS.map((kind) => policy.workers[kind]!.target);
    expect(targets).toEqual(
      PUBLIC_KINDS.map((kind) => ({
        perMinute: THROUGHPUT_TARGETS[kind],
        errorRateMax: ERROR_RATE_TARGETS[kind],
      })),
    );
  });

  it("AR-29 is the least that scaling allows, in each environment (HB-slo-04)", () => {
    for (const environment of ["local", "staging", "production"]) {
      const { alerts, scaling } = load(environment);
      const rule = alerts.find(({ name }) => name === "workers-below-minimum")!;
      expect(
        rule.levels.map(({ value }) => value),
        environment,
      ).toEqual([scaling.workers.min]);
    }
  });

  it("AR-33 is four fifths of a target that production alone has: 800 of 1000 requests a second (AM-slo-01)", () => {
    const targets = ["local", "staging", "production"].map(
      (environment) => load(environment).infrastructure.services.api.target?.requestsPerSecond,
    );
    expect(targets).toEqual([undefined, undefined, 1_000]);
    expect(levels.get("AR-33")!.rule).toMatchObject({
      signal: { form: "div", den: { metric: "algobrain.api.request_rate_target" } },
      combine: "sum",
    });
  });

  it("rules on what nobody emits yet wait, and no others do", () => {
    const waiting = policy.alerts.filter(({ waitsFor = [] }) => waitsFor.length > 0);
    expect(waiting.flatMap((rule) => rule.levels.map(({ id }) => id)).sort()).toEqual(WAITING);
  });
});
