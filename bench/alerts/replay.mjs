// How fast rules are replayed over the past: the shipped ones over 30 days at 15 s, and 100 rules over 70 days at 1 min.
// Samples are already on the board: what reading them costs is read-month.mjs's matter.
//
//   node bench/alerts/replay.mjs
//
// Build first: node scripts/build.mjs.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { replayRule } from "../../dist/src/alert/replay.js";
import { loadPolicySet } from "../../dist/src/policy/bundle.js";
import { CATALOGUE_PATH, isPolicyFile } from "../../dist/src/policy/files.js";
import { selectorsOf } from "../../dist/src/policy/selectors.js";
import { fillBoard, loadOf, makeMetric, makeRule, percentile, randomOf } from "./generated.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const START = Date.UTC(2026, 8, 1);
const [DAY_MS, MINUTE_MS, SLOT_MS] = [86_400_000, 60_000, 15_000];
const ROUNDS = 3;

function shippedPolicy() {
  const paths = readdirSync(join(ROOT, "policies"), { recursive: true })
    .map((path) => `policies/${path}`)
    .concat(CATALOGUE_PATH)
    .filter(isPolicyFile);
  const files = paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
  const loaded = loadPolicySet(files, "local");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.value;
}

/** Values of each label that a metric has; products of them are its series. */
const LABEL_VALUES = { le: ["10", "50", "100", "500", "1000", "5000", "+Inf"] };
const [NAMED, MOST] = [4, 12];

function labelSets({ labels }) {
  const sets = labels.reduce(
    (before, label) => {
      const values =
        LABEL_VALUES[label] ?? Array.from({ length: NAMED }, (_, i) => `${label}-${i}`);
      return before.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
    },
    [{}],
  );
  return sets.slice(0, MOST);
}

/** A counter grows, a moment follows the clock, whatever else moves between two levels. */
function valuesOf({ kind, unit }, random, stepMs) {
  let total = 0;
  let at = START;
  const load = loadOf(random);
  return () => {
    total = random() < 0.0005 ? 0 : total + Math.floor(random() * 40);
    at += stepMs;
    if (unit === "timestamp") return at / 1_000;
    return kind === "gauge" ? load() : total;
  };
}

function replayAll(rules, metrics, board, days) {
  const times = [];
  const cpuBefore = process.cpuUsage();
  let ticks = 0;
  let fired = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    const done = rules.map((rule) =>
      replayRule({ rule, metrics, board, from: START, to: START + days * DAY_MS }),
    );
    times.push(performance.now() - started);
    ticks = done.reduce((sum, one) => sum + one.ticks, 0);
    fired = done.flatMap((one) => one.transitions).filter(({ kind }) => kind === "fired").length;
    if (process.env.BY_RULE && round === 0) byRule(rules, metrics, board, days);
  }
  const cpu = process.cpuUsage(cpuBefore);
  const cpuMs = (cpu.user + cpu.system) / 1_000 / ROUNDS;
  const [first, median] = [times[0], percentile(times, 0.5)];
  console.log(
    `  ${rules.length} rules, ${ticks.toLocaleString("en")} ticks, ${fired} firings: first ${first.toFixed(0)} ms, ` +
      `median of ${ROUNDS} ${median.toFixed(0)} ms, ${Math.round(ticks / (median / 1_000)).toLocaleString("en")} ticks a second; ${cpuMs.toFixed(0)} ms of the processors a round`,
  );
}

function byRule(rules, metrics, board, days) {
  for (const rule of rules) {
    const started = performance.now();
    const { ticks, changes } = replayRule({
      rule,
      metrics,
      board,
      from: START,
      to: START + days * DAY_MS,
    });
    const ms = performance.now() - started;
    console.log(`${ms.toFixed(0)} ms ${rule.name} ${rule.signal.form} ${ticks} ${changes.length}`);
  }
}

{
  const days = 30;
  const policy = shippedPolicy();
  const rules = policy.alerts.filter(({ waitsFor = [] }) => waitsFor.length === 0);
  const needed = new Set(
    rules.flatMap(({ signal }) => selectorsOf(signal).map((one) => one.metric)),
  );
  const columns = [...needed].flatMap((name, m) =>
    labelSets(policy.metrics[name]).map((labels, i) => {
      const next = valuesOf(policy.metrics[name], randomOf(7_919 * m + i), SLOT_MS);
      return { metric: name, labels, next };
    }),
  );
  console.log(`shipped rules, ${days} days at 15 s, ${columns.length} series:`);
  const board = fillBoard(columns, START, SLOT_MS, (days * DAY_MS) / SLOT_MS);
  replayAll(rules, policy.metrics, board, days);
}

{
  const days = 70;
  const names = Array.from({ length: 100 }, (_, n) => `load.n${n}`);
  const metrics = Object.fromEntries(names.map((name) => [name, makeMetric(name, "gauge")]));
  const rules = names.map((metric) => {
    const of = { metric, where: {} };
    const signal = { form: "agg", fn: "avg", of, overMs: 5 * MINUTE_MS, fullWindow: false };
    return makeRule(metric, MINUTE_MS, signal);
  });
  const columns = names.map((metric, n) => ({
    ...{ metric, labels: {} },
    next: loadOf(randomOf(n + 1)),
  }));
  console.log(`generated rules, ${days} days at 1 min, ${columns.length} series:`);
  const board = fillBoard(columns, START, MINUTE_MS, days * 1_440);
  replayAll(rules, metrics, board, days);
}
