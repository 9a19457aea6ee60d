// npm run bench:queue: our job runtime beside its peers, on private servers that it starts and stops. See bench/README.md.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { barTable, judge } from "./bars.mjs";
import { compare, comparisonTable } from "./comparison.mjs";
import { FOLDER, measure, stopMeasuring } from "./measure.mjs";
import { choosePeers, findNode22, installPeers, OURS } from "./peers.mjs";
import { measureRawLimit, rawLimitTable } from "./rawlimit.mjs";
import { openServers } from "./servers.mjs";

const USAGE = `npm run bench:queue                        ours and its peers, three rounds, about 40 minutes
npm run bench:queue -- OPTIONS
  --quick              small numbers: does it work, and roughly how fast
  --peers ours,pgboss-12   only these (--peers ours: without installing the peers)
  --runs 3             rounds
  --tests enqueue,drain,latency,depth,xmin
  --n 20000            jobs in a backlog; also --n-single, --lat-n, --retained, --future, --xmin-rounds,
                       --cap-c1, --cap-c10, --cap-best, --cap-depth, --cap-xmin (milliseconds)
one of these instead of the table of peers:
  --depth              with 1,000,000 finished and 200,000 future rows, against the empty table
  --xmin               with an old snapshot held open, against without
  --through-pgbouncer  through pgbouncer in transaction mode, against direct
  --capped             with the caps that a runtime has by default, against uncapped
  --crash              seconds from kill -9 of a worker to the next start of its job
  --rawlimit           claim and complete in raw SQL, on our table and on a bare one
  --bars               all of it, and one line for each bar: met or not (about an hour)`;

/** Handed on to the harness as they stand. */
const NUMBERS = ["n", "n-single", "lat-n", "retained", "future", "xmin-rounds"];
const CAPS = ["cap-c1", "cap-c10", "cap-best", "cap-depth", "cap-xmin"];
const QUICK = {
  ...{ n: 2000, "n-single": 500, "lat-n": 50, retained: 20_000, future: 4_000 },
  ...{ "cap-c1": 3000, "cap-c10": 3000, "cap-best": 5000, "cap-depth": 3000, "cap-xmin": 3000 },
};
const COMMANDS = {
  depth: runDepth,
  xmin: runXmin,
  "through-pgbouncer": runThroughPgbouncer,
  capped: runCapped,
  crash: runCrash,
  rawlimit: runRawLimit,
  bars: runBars,
};
/** Through the caps of a runtime with default settings, instead of none. */
const CAPPED = { BENCH_CAPS: "1" };

class UsageError extends Error {}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(USAGE);
  if (!existsSync(`${FOLDER}../../dist/src`))
    throw new UsageError("dist/ is missing: run npm ci or npm run build first");
  const bench = await prepare(options);
  try {
    await options.command(bench);
  } finally {
    await bench.servers.close();
    for (const [name, why] of Object.entries(bench.skipped)) console.log(`SKIPPED ${name}: ${why}`);
  }
}

function readOptions() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  const { values } = parse({
    ...Object.fromEntries(
      [...NUMBERS, ...CAPS, "peers", "runs", "tests"].map((name) => [name, text]),
    ),
    ...Object.fromEntries([...Object.keys(COMMANDS), "quick", "help"].map((name) => [name, flag])),
  });
  const chosen = Object.keys(COMMANDS).filter((name) => values[name]);
  if (chosen.length > 1)
    throw new UsageError(`one of --${chosen.join(", --")} at a time: give only one of them`);
  const flags = { ...(values.quick ? QUICK : {}), ...numbersOf(values) };
  return {
    help: values.help,
    name: chosen[0] ?? "peers",
    command: COMMANDS[chosen[0]] ?? runPeers,
    peers: values.peers?.split(","),
    runs: values.runs === undefined ? null : positive("runs", values.runs),
    quick: values.quick === true,
    tests: values.tests,
    flags,
  };
}

function parse(options) {
  try {
    return parseArgs({ options, strict: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function numbersOf(values) {
  const given = [...NUMBERS, ...CAPS].filter((name) => values[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, positive(name, values[name])]));
}

function positive(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`--${name} must be a whole number above 0, not "${text}"`);
  return number;
}

/** Peers installed, servers up, and who runs; `skipped` says who does not, and why. */
async function prepare(options) {
  const alone = !["peers", "bars"].includes(options.name);
  const wanted = options.peers ?? (alone ? [OURS] : undefined);
  const refused = wanted?.every((name) => name === OURS) ? null : installPeers();
  const servers = await openServers();
  try {
    const node22 = findNode22();
    if (node22 !== null) servers.env.BENCH_NODE22 = node22;
    const { running, skipped } = choosePeers(wanted, { node22, missing: servers.missing });
    if (refused) skipped["all peers that are not installed"] = refused;
    for (const [name, why] of Object.entries(skipped)) console.log(`SKIPPED ${name}: ${why}`);
    if (running.length === 0) throw new UsageError("none of these peers can run here");
    return { ...options, servers, skipped, peers: running };
  } catch (error) {
    await servers.close();
    throw error;
  }
}

/** Medians, ratios to the best, settings: the harness's own report, and where it was measured. */
async function runPeers(bench) {
  const { peers, flags, servers } = bench;
  const tests = bench.tests ?? "enqueue,drain,latency,depth";
  const rows = await measure(
    "run",
    { ...flags, peers: peers.join(","), tests, runs: runsOf(bench) },
    servers.env,
  );
  publish(bench, rows, []);
}

async function runDepth(bench) {
  const rows = await measureOurs(bench, "enqueue,drain,depth", runsOf(bench, 5));
  publish(bench, rows, [barTable(judge(only({ depth: rows })).filter(isMeasured))]);
}

async function runXmin(bench) {
  const rows = await measureXmin(bench, runsOf(bench));
  publish(bench, rows, [barTable(judge(only({ xmin: rows })).filter(isMeasured))]);
}

async function runThroughPgbouncer(bench) {
  const rows = await comparePgbouncer(bench, bench.tests ?? "enqueue,drain,latency");
  if (rows !== null) publish(bench, Object.values(rows)[0], [comparisonTable(rows)]);
}

async function runCapped(bench) {
  const rows = await compareCapped(bench, bench.tests ?? "enqueue,drain");
  publish(bench, Object.values(rows)[0], [comparisonTable(rows)]);
}

async function runCrash(bench) {
  const rows = await measureCrash(bench);
  publish(bench, rows, []);
}

async function runRawLimit(bench) {
  publish(bench, [], [rawLimitTable(await measureLimit(bench))]);
}

async function runBars(bench) {
  const { peers, flags, servers } = bench;
  const tests = "enqueue,drain,latency";
  const runs = runsOf(bench);
  const rawLimit = await measureLimit(bench);
  const rows = {
    peers: await measure("run", { ...flags, peers: peers.join(","), tests, runs }, servers.env),
    depth: await measureOurs(bench, "enqueue,drain,depth", runs),
    xmin: await measureXmin(bench, runs),
    crash: await measureCrash(bench),
  };
  const [direct, pooled] = Object.values((await comparePgbouncer(bench, "drain")) ?? {});
  const [uncapped, capped] = Object.values(await compareCapped(bench, "drain"));
  const judged = judge(only({ ...rows, direct, pooled, uncapped, capped }, rawLimit));
  publish(bench, [...rows.peers, ...rows.crash], [rawLimitTable(rawLimit), barTable(judged)]);
  if (!judged.every(({ met }) => met)) process.exitCode = 1;
}

function measureOurs({ flags, servers }, tests, runs) {
  return measure("run", { ...flags, peers: OURS, tests, runs }, servers.env);
}

/** Each turn: the drain without, then five rounds of it under a snapshot. */
async function measureXmin(bench, runs) {
  const rows = [];
  for (let run = 1; run <= runs; run++) {
    const flags = { "xmin-rounds": 5, ...bench.flags };
    rows.push(...(await measureOurs({ ...bench, flags }, "enqueue,drain,xmin", 1)));
  }
  return rows;
}

async function comparePgbouncer(bench, tests) {
  const { servers, flags, skipped } = bench;
  const through = await servers.openPgbouncer();
  if (through === null) {
    skipped["through pgbouncer"] = servers.missing.pgbouncer;
    return null;
  }
  const one = { name: "direct", env: servers.env };
  const other = { name: "through pgbouncer", env: { ...servers.env, ...through } };
  return compare({ one, other, tests, runs: runsOf(bench), flags });
}

function compareCapped(bench, tests) {
  const { servers, flags } = bench;
  const one = { name: "uncapped", env: servers.env };
  const other = { name: "default caps", env: { ...servers.env, ...CAPPED } };
  return compare({ one, other, tests, runs: runsOf(bench), flags });
}

function measureCrash(bench) {
  const flags = { peers: OURS, modes: "default", runs: runsOf(bench), "cap-s": 60 };
  return measure("crash", flags, bench.servers.env);
}

function measureLimit(bench) {
  console.log("claim and complete in raw SQL");
  const rows = bench.quick ? 5_000 : 60_000;
  return measureRawLimit({ port: bench.servers.env.BENCH_PG_PORT, rows, rounds: runsOf(bench) });
}

function runsOf({ runs, quick }, usual = 3) {
  return runs ?? (quick ? 1 : usual);
}

/** What was not measured has no rows. */
function only(rows, rawLimit) {
  const parts = ["peers", "depth", "xmin", "direct", "pooled", "uncapped", "capped", "crash"];
  return { rows: Object.fromEntries(parts.map((part) => [part, rows[part] ?? []])), rawLimit };
}

function isMeasured({ met }) {
  return met !== null;
}

/** Prints the report and writes it to results/latest.md, its rows to results/latest.jsonl. */
function publish(bench, rows, sections) {
  mkdirSync(`${FOLDER}results`, { recursive: true });
  const raw = `${FOLDER}results/latest.jsonl`;
  writeFileSync(raw, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const report = rows.length === 0 ? "" : reportOf(raw);
  const where = bench.servers.settings.map((setting) => `- ${setting}`).join("\n");
  const left = Object.entries(bench.skipped).map(([name, why]) => `- SKIPPED ${name}: ${why}`);
  const servers = `Servers of this run:\n\n${[where, ...left].join("\n")}`;
  const text = [report.trim(), ...sections, servers].filter(Boolean).join("\n\n");
  writeFileSync(`${FOLDER}results/latest.md`, `${text}\n`);
  console.log(
    `\n${text}\n\nwritten to bench/queue/results/latest.md, the raw rows beside it in latest.jsonl`,
  );
}

function reportOf(file) {
  const args = ["harness/report.mjs", file];
  const done = spawnSync(process.execPath, args, { cwd: FOLDER, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`harness/report.mjs failed: ${done.stderr}`);
  return done.stdout;
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stopMeasuring);

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
