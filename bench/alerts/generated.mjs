// Rules and samples for the measurements of the evaluator. Deterministic by the seed.
import { Board } from "../../dist/src/alert/board.js";

/** A rule as `policy check` would resolve it; callers say only what matters to them. */
export function makeRule(name, everyMs, signal, rest = {}) {
  return {
    ...{ name, summary: "Generated.", everyMs, signal, combine: "sum", by: [] },
    levels: [makeLevel(`${name}-1`, 0.9)],
    noData: { afterMs: 5 * 60_000, then: "hold" },
    ...{ cooldownMs: 0, groupBy: null, inhibitedBy: [] },
    ...{ groupWaitMs: 30_000, groupIntervalMs: 300_000, repeatMs: 14_400_000 },
    ...rest,
  };
}

export function makeLevel(id, value, rest = {}) {
  return {
    ...{ id, name: id, severity: "sev3", op: ">", value, forMs: 300_000, mOf: null },
    ...{ recover: null, notify: ["ops"], runbook: null },
    ...rest,
  };
}

export function makeMetric(name, kind, labels = []) {
  return { name, unit: "count", kind, labels, source: "runtime", help: "Generated." };
}

/** Park and Miller's minimal standard generator: [0, 1). */
export function randomOf(seed) {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}

/** Mostly low, at times high for a while: what a rule fires on now and then. */
export function loadOf(random) {
  let [high, left] = [false, 0];
  return () => {
    if (left === 0) [high, left] = [random() < 0.05, 20 + Math.floor(random() * 200)];
    left -= 1;
    return (high ? 0.92 : 0.4) + random() * 0.1;
  };
}

/** A column each, `count` samples from `from` on. */
export function fillBoard(columns, from, stepMs, count) {
  const board = new Board();
  for (const { metric, labels, next } of columns) {
    const times = Float64Array.from({ length: count }, (_, i) => from + i * stepMs);
    const values = Float64Array.from({ length: count }, () => next());
    board.adopt(metric, labels, times, values);
  }
  return board;
}

export function percentile(values, share) {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.max(Math.ceil(share * ordered.length) - 1, 0)];
}
