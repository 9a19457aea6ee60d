/**
 * The rule file that we write for Prometheus, judged by Prometheus, beside our own evaluator: the same alerts must
 * fire at the same ticks. Compared is what both can say (alerting.md 2.1); what Prometheus says otherwise is named by
 * the outlet itself, and counted here. Its look-back of five minutes is ours here; since 2.42 closes windows on both
 * ends, it is asked for windows that are a millisecond shorter.
 */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { Board } from "../../src/alert/board.js";
import { compileRule } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import { breaches } from "../../src/alert/level.js";
import { prometheusRules } from "../../src/alert/outlet/prometheus.js";
import { prometheusExpression } from "../../src/alert/outlet/prometheus-expression.js";
import { prometheusName } from "../../src/alert/outlet/prometheus-name.js";
import { numberText } from "../../src/alert/outlet/promql.js";
import { readValues } from "../../src/alert/signal.js";
import type { InstanceState, RuleState } from "../../src/alert/state.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { AlertRule, Metric } from "../../src/policy/policy.js";
import { renderRounds } from "../../src/runtime/exposition.js";
import { SHIPPED } from "../policy/shipped.js";
import { makePolicy } from "../support/make-policy.js";
import { findPeer } from "./debian.js";
import { type Case, type MadeSeries, makeCases, TICK_MS, TICKS } from "./promtool-cases.js";

const SEED = 20_261_122;
const DRAWN = 1_000;
const COMPARED_MIN = 500;
const LOOKBACK_MS = 300_000;
const PEER_MS = 150_000;
const OUTPUT_SHOWN = 4_000;

const drawn = makeCases(SEED, DRAWN);
const promtool = await findPeer("promtool");
const title = promtool.ok ? `beside ${promtool.version}` : promtool.reason;

describe.skipIf(!promtool.ok)(title, () => {
  test("the same alerts fire at the same ticks", async () => {
    const { compared, reasons } = sort(drawn);
    const { failures, output } = await judge(await writeFiles(compared));
    const checked = compared.length * TICKS;
    const firing = compared.reduce((sum, one) => sum + one.expected.filter(isFiring).length, 0);
    console.log(
      [
        `seed ${SEED}: ${compared.length} of ${DRAWN} cases are in the common subset (${formsOf(compared)})`,
        `${checked} ticks compared, at ${firing} an alert fires; ${failures.length} cases disagree`,
        ...[...reasons].map(([reason, count]) => `not compared: ${count} × ${reason}`),
      ].join("\n"),
    );
    expect(failures, output.slice(0, OUTPUT_SHOWN)).toEqual([]);
    expect(compared.length).toBeGreaterThanOrEqual(COMPARED_MIN);
    // Were the cases all quiet or all burning, they would agree about nothing.
    expect(firing / checked).toBeGreaterThan(0.1);
    expect(firing / checked).toBeLessThan(0.9);
  });

  test("what disagrees is found, by name", async () => {
    const { compared } = sort(drawn.slice(0, 50));
    const one = compared.find(({ expected }) => expected.some(isFiring))!;
    const quiet = { ...one, expected: one.expected.map(() => []) };
    const { failures } = await judge(
      await writeFiles([...compared.filter((it) => it !== one), quiet]),
    );
    expect(failures).toEqual([one.made.name]);
  });

  test.each(["local", "production"])("it takes the rules as shipped in %s", async (environment) => {
    const checked = loadPolicySet(SHIPPED, environment);
    if (!checked.ok)
      throw new Error("the shipped policies are invalid: test/policy/shipped.test.ts");
    const folder = await mkdtemp(join(tmpdir(), "promtool-"));
    const { text } = prometheusRules(checked.value);
    await writeFile(join(folder, "rules.yml"), text);
    const rules = text.match(/^\s+- alert:/gm)!.length;
    expect(await ask(["check", "rules", "rules.yml"], folder)).toContain(
      `SUCCESS: ${rules} rules found`,
    );
  });
});

/** Its linter knows the conventions of that world: names, units, suffixes, help. */
test.skipIf(!promtool.ok)("it finds nothing to say about what EP-24 shows", async () => {
  const checked = loadPolicySet(SHIPPED, "production");
  if (!checked.ok) throw new Error("the shipped policies are invalid: test/policy/shipped.test.ts");
  const { metrics } = checked.value;
  const samples = Object.values(metrics).map(({ name, labels }) => ({
    ...{ metric: name, value: 1 },
    labels: Object.fromEntries(labels.map((label) => [label, label === "le" ? "+Inf" : "x"])),
  }));
  const text = renderRounds([{ slot: new Date(0), source: "leader", samples }], metrics);
  expect(text.match(/^# TYPE/gm)!.length).toBeGreaterThan(50);
  expect(await ask(["check", "metrics"], tmpdir(), text)).toBe("");
});

interface Compared {
  readonly made: Case;
  /** By tick: the label sets that fire. */
  readonly expected: readonly (readonly Readonly<Record<string, string>>[])[];
}

const isFiring = (labels: readonly unknown[]): boolean => labels.length > 0;

/** What the outlet says of a case that does not touch its samples here. */
const HARMLESS = [/^forgotten/, /^the time of a sample/, /^combined series are looked at/];

function sort(cases: readonly Case[]): { compared: Compared[]; reasons: Map<string, number> } {
  const reasons = new Map<string, number>();
  const compared: Compared[] = [];
  for (const made of cases) {
    const form = prometheusExpression(made.rule, made.rule.levels[0]!, metricsOf([made]));
    const loose = form.ok
      ? form.loose.find((text) => !HARMLESS.some((one) => one.test(text)))
      : form.reason;
    const ours = loose === undefined ? evaluate(made) : null;
    const reason = loose ?? ours?.reason ?? null;
    if (reason !== null) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    else compared.push({ made, expected: ours!.expected });
  }
  return { compared, reasons };
}

const metricsOf = (cases: readonly Case[]): Record<string, Metric> =>
  Object.fromEntries(
    cases.flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric])),
  );

/** Ours, tick by tick. */
function evaluate(made: Case): { expected: Compared["expected"]; reason: string | null } {
  const { rule } = made;
  const compiled = compileRule(rule, metricsOf([made]), { lookbackMs: lookbackOf(rule) });
  const board = boardOf(made.series);
  const level = rule.levels[0]!;
  const expected: Readonly<Record<string, string>>[][] = [];
  let state: RuleState = {};
  let reason: string | null = null;
  for (let tick = 0; tick < TICKS; tick += 1) {
    const now = tick * TICK_MS;
    const readings = readValues(compiled, board, now);
    if (isAverage(rule) && readings.some(({ value }) => isOnTheLine(value, level.value)))
      reason = "a mean lies on its threshold, which the last bit decides";
    state = stepRule({ rule: compiled, state, readings, now: new Date(now) }).state;
    expected.push(
      Object.values(state)
        .filter(fires)
        .map((one) => labelsOf(rule, one)),
    );
  }
  return { expected, reason };
}

const fires = ({ level }: InstanceState): boolean => level !== null;

/** Closed as well; where a window must have begun, its beginning is looked for with the millisecond taken away. */
function lookbackOf({ signal }: AlertRule): number {
  return "fullWindow" in signal && signal.fullWindow ? LOOKBACK_MS : LOOKBACK_MS + 1;
}

function halfOpen(rule: AlertRule): AlertRule {
  const { signal } = rule;
  return "overMs" in signal ? { ...rule, signal: { ...signal, overMs: signal.overMs - 1 } } : rule;
}

function boardOf(series: readonly MadeSeries[]): Board {
  const board = new Board();
  for (const { metric, labels, values } of series)
    for (const [tick, value] of values.entries())
      if (value !== null) board.append(metric, labels, tick * TICK_MS, value);
  return board;
}

function isAverage({ signal, combine }: AlertRule): boolean {
  return combine === "avg" || ("fn" in signal && signal.fn === "avg");
}

function isOnTheLine(value: number | null, threshold: number): boolean {
  return value !== null && breaches(value, ">=", threshold) && breaches(value, "<=", threshold);
}

function labelsOf({ levels }: AlertRule, { labels }: InstanceState): Record<string, string> {
  const { id, severity } = levels[0]!;
  return { system: POLICY.system, environment: POLICY.environment, level: id, severity, ...labels };
}

const POLICY = makePolicy();

interface Files {
  readonly folder: string;
  readonly tests: string;
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly { annotations?: unknown }[] }[];
}

/** JSON is YAML. The annotations of alerts are another language, and would be compared. */
async function writeFiles(compared: readonly Compared[]): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), "promtool-"));
  const cases = compared.map(({ made }) => made);
  const policy = {
    ...POLICY,
    alerts: cases.map(({ rule }) => halfOpen(rule)),
    metrics: metricsOf(cases),
  };
  const rules = load(prometheusRules(policy).text) as RuleFile;
  for (const group of rules.groups) for (const rule of group.rules) delete rule.annotations;
  await writeFile(join(folder, "rules.yml"), JSON.stringify(rules));
  const tests = join(folder, "tests.yml");
  await writeFile(tests, JSON.stringify(testsOf(compared)));
  return { folder, tests };
}

function testsOf(compared: readonly Compared[]) {
  return {
    rule_files: ["rules.yml"],
    evaluation_interval: `${TICK_MS / 1_000}s`,
    tests: [
      {
        interval: `${TICK_MS / 1_000}s`,
        input_series: compared.flatMap(({ made }) => made.series.map((one) => inputOf(made, one))),
        alert_rule_test: compared.flatMap(({ made, expected }) =>
          expected.map((labels, tick) => ({
            eval_time: `${(tick * TICK_MS) / 1_000}s`,
            alertname: made.name,
            exp_alerts: labels.map((exp_labels) => ({ exp_labels })),
          })),
        ),
      },
    ],
  };
}

function inputOf({ metrics }: Case, { metric, labels, values }: MadeSeries) {
  const { name, factor } = prometheusName(metrics.find((one) => one.name === metric)!);
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const numbers = values.map((value) => (value === null ? "_" : numberText(value * factor)));
  return { series: `${name}{${pairs.join(",")}}`, values: numbers.join(" ") };
}

/** Names of the cases of which it says anything. */
async function judge({ folder, tests }: Files): Promise<{ failures: string[]; output: string }> {
  const output = await ask(["test", "rules", tests], folder);
  const named = [...output.matchAll(/alertname:\s*(case-\d+)/g)].map(([, name]) => name!);
  const failures = [...new Set(named)];
  if (failures.length === 0 && !output.includes("SUCCESS"))
    throw new Error(output.slice(0, OUTPUT_SHOWN));
  return { failures, output };
}

/** @param input for its standard input */
function ask(args: readonly string[], cwd: string, input = ""): Promise<string> {
  const path = promtool.ok ? promtool.path : "";
  const options = { cwd, timeout: PEER_MS, maxBuffer: 64 * 1_024 * 1_024 };
  return new Promise((resolve, reject) => {
    const child = execFile(path, [...args], options, (error, stdout, stderr) => {
      // 1: something disagrees, 3: the linter does. Anything else is no judgement.
      if (error && error.code !== 1 && error.code !== 3) reject(error);
      else resolve(`${stdout}${stderr}`);
    });
    child.stdin!.end(input);
  });
}

function formsOf(compared: readonly Compared[]): string {
  const counts = new Map<string, number>();
  for (const { made } of compared) {
    const { form } = made.rule.signal;
    counts.set(form, (counts.get(form) ?? 0) + 1);
  }
  return [...counts].map(([form, count]) => `${form} ${count}`).join(", ");
}
