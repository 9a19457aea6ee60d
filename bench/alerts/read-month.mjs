// A month of history through the shipped rules, as a whole process: start, connect, read and decode, replay.
//
//   node bench/alerts/read-month.mjs            30 days at 15 s; bars: 3 s whole, 1.6 s for reading and decoding; median of 3
//   node bench/alerts/read-month.mjs --days 7 --slack 2
//   node bench/alerts/read-month.mjs --cpu      time of the processors (all threads of the process), not of the wall: on a
//                                               machine that has other things to do
//
// Build first: node scripts/build.mjs. Ends with 1 when a bar is not met.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { replayRule } from "../../dist/src/alert/replay.js";
import { loadDirectory, readPolicyDirectory } from "../../dist/src/runtime/policy-source.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { writeChunks } from "../../dist/src/store/sample-chunks.js";
import { loadBoard } from "../../dist/src/store/sample-history.js";
import { insertSamples } from "../../dist/src/store/samples.js";

const FILE = fileURLToPath(import.meta.url);
const { values: options } = parseArgs({
  options: {
    days: { type: "string", default: "30" },
    slack: { type: "string", default: "1" },
    cpu: { type: "boolean", default: false },
    child: { type: "string" },
  },
});
const DAYS = Number(options.days);
const SLACK = Number(options.slack);
const [WHOLE_MS, READ_MS] = [3_000, 1_600];
const STEP_MS = 15_000;
const DAY_MS = 86_400_000;
const TO = Date.UTC(2026, 10, 1);
const FROM = TO - DAYS * DAY_MS;
const TRIES = 3;

if (options.child) await replayMonth(options.child);
else await measure();

/** What a backtest does; says how long each part took. */
async function replayMonth(url) {
  const policy = await readPolicy();
  const db = openDatabase({ url, poolMax: 2, applicationName: "bench", ssl: false });
  const metrics = metricsOf(policy);
  const reading = stopwatch();
  const board = await loadBoard(db, { metrics, from: new Date(FROM), to: new Date(TO) });
  const read = reading();
  const samples = metrics
    .flatMap((metric) => board.columnsOf(metric))
    .reduce((sum, { length }) => sum + length, 0);
  const replaying = stopwatch();
  let ticks = 0;
  for (const rule of policy.alerts)
    ticks += replayRule({ rule, metrics: policy.metrics, board, from: FROM, to: TO }).ticks;
  const replayed = replaying();
  await db.close();
  const whole = process.cpuUsage();
  const cpuMs = Math.round((whole.user + whole.system) / 1_000);
  console.log(JSON.stringify({ samples, ticks, read, replayed, cpuMs }));
}

/** Milliseconds since it was started, of the wall and of the processors. */
function stopwatch() {
  const started = performance.now();
  const used = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(used);
    const wallMs = Math.round(performance.now() - started);
    return { wallMs, cpuMs: Math.round((user + system) / 1_000) };
  };
}

async function measure() {
  const { makeSeries } = await import("./mixture.mjs");
  const { withDatabase } = await import("./server.mjs");
  await withDatabase(async (db, url) => {
    const policy = await readPolicy();
    const labelSets = metricsOf(policy).flatMap((metric) =>
      labelsOf(policy.metrics[metric]).map((labels) => ({ metric, labels })),
    );
    await fill(db, labelSets, makeSeries(labelSets.length));
    console.log(`${policy.alerts.length} rules, ${labelSets.length} series, ${DAYS} days at 15 s`);
    const tries = [];
    for (let n = 0; n < TRIES; n++) tries.push(await runChild(url));
    for (const one of tries) console.log(JSON.stringify(one));
    const kind = options.cpu ? "cpuMs" : "wallMs";
    const whole = median(tries.map((one) => one[kind]));
    const read = median(tries.map((one) => one.read[kind]));
    console.log(
      `${options.cpu ? "processor time" : "wall"}: whole process ${whole} ms (bar ${WHOLE_MS}), reading and decoding ${read} ms (bar ${READ_MS})`,
    );
    if (whole > WHOLE_MS * SLACK || read > READ_MS * SLACK) process.exitCode = 1;
  });
}

async function fill(db, labelSets, series) {
  const at = new Date(FROM);
  const limits = { seriesMax: 10_000, perMetricMax: 10_000 };
  await insertSamples(
    db,
    labelSets.map((one) => ({ ...one, at, value: 0 })),
    "bench",
    limits,
  );
  await db.query("TRUNCATE control.sample_round");
  const { rows } = await db.query("SELECT id FROM control.series ORDER BY id");
  for (let day = FROM; day < TO; day += DAY_MS) {
    const times = Float64Array.from({ length: DAY_MS / STEP_MS }, (_, n) => day + n * STEP_MS);
    const chunks = rows.map(({ id: seriesId }, n) => ({
      ...{ seriesId, samples: { times, values: times.map(series[n].valueAt) } },
    }));
    await db.transaction((tx) => writeChunks(tx, day, chunks));
  }
}

function runChild(url) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const args = [FILE, "--child", url, "--days", String(DAYS)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
    });
    child.on("exit", (code) => {
      const wallMs = Math.round(performance.now() - started);
      if (code !== 0) reject(new Error(`the replay ended with ${code}`));
      else resolve({ wallMs, ...JSON.parse(said) });
    });
  });
}

async function readPolicy() {
  const root = dirname(dirname(dirname(FILE)));
  const where = { cwd: root, packageRoot: root };
  const checked = loadDirectory(await readPolicyDirectory("policies", where), "local");
  if (!checked.ok)
    throw new Error("the shipped policies are invalid: run `algobrain policy check`");
  return checked.value;
}

function metricsOf({ alerts, metrics }) {
  const read = JSON.stringify(alerts.map(({ signal }) => signal));
  return Object.keys(metrics).filter((name) => read.includes(`"${name}"`));
}

/** Twelve kinds, two of everything else. */
function labelsOf({ labels }) {
  if (labels.length === 0) return [{}];
  const counts = labels.map((label) => (label === "worker_type" ? 12 : 2));
  const total = counts.reduce((product, count) => product * count, 1);
  return Array.from({ length: total }, (_, n) => {
    let rest = n;
    return Object.fromEntries(
      labels.map((label, i) => {
        const value = `${label}-${rest % counts[i]}`;
        rest = Math.floor(rest / counts[i]);
        return [label, value];
      }),
    );
  });
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
