// How long one tick of the evaluator takes for 10,000 instances: their numbers out of the board, and the step.
//
//   node bench/alerts/step.mjs                  bars: 50 ms for 10,000 instances (95 of 100 ticks), 0.01 ms each
//   node bench/alerts/step.mjs --instances 500
//
// Build first: node scripts/build.mjs. Ends with 1 when a bar is not met. The machine should have nothing else to do.
import { parseArgs } from "node:util";
import { compileRule } from "../../dist/src/alert/compile.js";
import { stepRule } from "../../dist/src/alert/evaluate.js";
import { readValues } from "../../dist/src/alert/signal.js";
import {
  fillBoard,
  loadOf,
  makeLevel,
  makeMetric,
  makeRule,
  percentile,
  randomOf,
} from "./generated.mjs";

const { values: options } = parseArgs({
  options: { instances: { type: "string", default: "10000" } },
});
const INSTANCES = Number(options.instances);
const [BAR_MS, BAR_EACH_MS] = [50, 0.01];
const EVERY_MS = 15_000;
const START = Date.UTC(2026, 9, 1);
const [WARM, MEASURED] = [20, 100];
const LEVELS = [makeLevel("warning", 0.8), makeLevel("critical", 0.9, { severity: "sev1" })];
const AVERAGE = { form: "agg", fn: "avg", overMs: 300_000, fullWindow: true };

/** So many rules that share the instances evenly. */
function measure(rules) {
  const each = INSTANCES / rules;
  const names = Array.from({ length: rules }, (_, n) => `load.n${n}`);
  const columns = names.flatMap((metric, n) =>
    Array.from({ length: each }, (_, i) => ({
      metric,
      labels: { host: `h${i}` },
      next: loadOf(randomOf(7_919 * n + i)),
    })),
  );
  const catalogue = Object.fromEntries(names.map((name) => [name, makeMetric(name, "gauge")]));
  const compiled = names.map((metric, n) => {
    const signal = { ...AVERAGE, of: { metric, where: {} } };
    return compileRule(
      makeRule(`r${n}`, EVERY_MS, signal, { by: ["host"], levels: LEVELS }),
      catalogue,
    );
  });
  const board = fillBoard(columns, START - 40 * EVERY_MS, EVERY_MS, 40);
  let states = compiled.map(() => ({}));
  const [times, changed, firing] = [[], [], []];
  for (let tick = 0; tick < WARM + MEASURED; tick += 1) {
    const now = START + tick * EVERY_MS;
    for (const { metric, labels, next } of columns) board.append(metric, labels, now, next());
    const started = performance.now();
    const steps = compiled.map((rule, n) =>
      stepRule({
        rule,
        state: states[n],
        readings: readValues(rule, board, now),
        now: new Date(now),
      }),
    );
    const took = performance.now() - started;
    states = steps.map(({ state }) => state);
    if (tick < WARM) continue;
    times.push(took);
    changed.push(steps.reduce((sum, step) => sum + step.changed.length, 0));
    firing.push(states.flatMap(Object.values).filter(({ level }) => level !== null).length);
  }
  return { rules, p50: percentile(times, 0.5), p95: percentile(times, 0.95), changed, firing };
}

const mean = (values) => Math.round(values.reduce((sum, one) => sum + one, 0) / values.length);
let isMet = true;
for (const result of [1, 100].map(measure)) {
  const each = result.p95 / INSTANCES;
  const ok = result.p95 < BAR_MS && each < BAR_EACH_MS;
  isMet &&= ok;
  console.log(
    `${INSTANCES} instances of ${result.rules} rules: p50 ${result.p50.toFixed(1)} ms, p95 ${result.p95.toFixed(1)} ms a tick ` +
      `(${(each * 1_000).toFixed(2)} µs each), ${mean(result.firing)} firing, ${mean(result.changed)} rows to write: ${ok ? "met" : "NOT MET"}`,
  );
}
process.exit(isMet ? 0 : 1);
