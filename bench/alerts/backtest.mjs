// Our side of test/peers/vmalert.peer.ts: from stored chunks to the last transition, in a process of its own, three times.
//
//   node bench/alerts/backtest.mjs FOLDER
//
// FOLDER holds scene.json {rules, metrics, from, to, rounds, series: [{metric, samples, chunks: [{day, at, length}]}]}
// and chunks.bin. Prints {ms: [...], ticks, events: [[rule, kind, at], ...]}. Build first: node scripts/build.mjs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Board } from "../../dist/src/alert/board.js";
import { decodeChunk } from "../../dist/src/alert/chunk.js";
import { replayRule } from "../../dist/src/alert/replay.js";

const [folder] = process.argv.slice(2);
const scene = JSON.parse(readFileSync(join(folder, "scene.json"), "utf8"));
const stored = readFileSync(join(folder, "chunks.bin"));
const { rules, metrics, from, to } = scene;

function load() {
  const board = new Board();
  for (const { metric, samples, chunks } of scene.series) {
    const [times, values] = [new Float64Array(samples), new Float64Array(samples)];
    let length = 0;
    for (const { day, at, length: bytes } of chunks) {
      const decoded = decodeChunk(day, stored.subarray(at, at + bytes));
      times.set(decoded.times, length);
      values.set(decoded.values, length);
      length += decoded.times.length;
    }
    board.adopt(metric, {}, times, values);
  }
  return board;
}

const ms = [];
let done = [];
for (let round = 0; round < scene.rounds; round += 1) {
  const started = performance.now();
  const before = process.cpuUsage();
  const board = load();
  const loaded = performance.now();
  done = rules.map((rule) => replayRule({ rule, metrics, board, from, to }));
  const finished = performance.now();
  ms.push(finished - started);
  const { user, system } = process.cpuUsage(before);
  console.error(
    `read ${(loaded - started).toFixed(0)} ms, judged ${(finished - loaded).toFixed(0)} ms; ` +
      `${((user + system) / 1_000).toFixed(0)} ms of the processors`,
  );
}
const ticks = done.reduce((sum, one) => sum + one.ticks, 0);
const events = done.flatMap(({ transitions }) =>
  transitions.map(({ rule, kind, at }) => [rule, kind, at]),
);
console.log(JSON.stringify({ ms, ticks, events }));
