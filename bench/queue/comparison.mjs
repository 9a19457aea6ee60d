// Ours against ours: the same steps in two settings, in turns, so that a slow minute does not fall on one of them alone.
import { digits, measure, medianOf } from "./measure.mjs";
import { OURS } from "./peers.mjs";

const MEASURES = [
  ["drain, concurrency 1 (jobs/s)", { kind: "drain", mode: "c1" }],
  ["drain, concurrency 10 (jobs/s)", { kind: "drain", mode: "c10" }],
  ["drain, best settings (jobs/s)", { kind: "drain", mode: "best" }],
  ["enqueue one by one, 10 in flight (jobs/s)", { kind: "enqueue-single" }],
  ["enqueue in bulk (jobs/s)", { kind: "enqueue-bulk" }],
  ["latency p50 (ms)", { kind: "latency", mode: "latency-default", key: "p50" }],
  ["latency p99 (ms)", { kind: "latency", mode: "latency-default", key: "p99" }],
];

/**
 * `one` and `other`: { name, env }. Returns their rows by name. `flags` for the harness, but for `runs`: so many turns.
 */
export async function compare({ one, other, tests, runs, flags }) {
  const rows = { [one.name]: [], [other.name]: [] };
  for (let run = 1; run <= runs; run++) {
    for (const { name, env } of [one, other]) {
      console.log(`${name}, run ${run} of ${runs}`);
      const measured = await measure("run", { ...flags, peers: OURS, tests, runs: 1 }, env, {
        run,
      });
      rows[name].push(...measured);
    }
  }
  return rows;
}

/** As Markdown: medians, and the ratio of the second to the first. */
export function comparisonTable(rows) {
  const [one, other] = Object.keys(rows);
  const lines = [`| ours | ${one} | ${other} | ratio |`, "|---|---:|---:|---:|"];
  for (const [words, of] of MEASURES) {
    const [a, b] = [one, other].map((name) => medianOf(rows[name], { ...of, peer: OURS }));
    if (a === undefined || b === undefined) continue;
    lines.push(`| ${words} | ${digits(a)} | ${digits(b)} | ${(b / a).toFixed(2)} |`);
  }
  const failed = Object.values(rows)
    .flat()
    .filter(({ error }) => error);
  for (const { kind, mode, error } of failed)
    lines.push("", `FAILED: ${kind} ${mode ?? ""}: ${error.slice(0, 300)}`);
  return lines.join("\n");
}
