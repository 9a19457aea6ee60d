// npm run bench:queue: our job runtime beside its peers, on private servers that it starts and stops. See bench/README.md.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { barTable, judge } from "./bars.mjs";
import { compare, comparisonTable } from "./comparison.mjs";
import { FOLDER, measure } from "./measure.mjs";
import { readOptions, USAGE, UsageError } from "./options.mjs";
import { choosePeers, findNode22, installPeers, OURS } from "./peers.mjs";
import { measureRawLimit, rawLimitTable } from "./rawlimit.mjs";
import { withServers } from "./servers.mjs";

const COMMANDS = {
  depth: runDepth,
  xmin: runXmin,
  "through-pgbouncer": runThroughPgbouncer,
  capped: runCapped,
  crash: runCrash,
  rawlimit: runRawLimit,
  bars: runBars,
};
/** Those that are held against others; the other commands hold ours against itself. */
const BESIDE_PEERS = ["peers", "bars"];
/** Longer than it should take, and shorter than some peers take. */
const CRASH_CAP_S = 60;
const QUICK_SAYS =
  "Measured with --quick: it works; what it would give with full numbers, this does not say.";
/** Far enough from what is in flight that the figure is what enforcing costs, not what so few in flight give. */
const CAPS = process.env.BENCH_CAPS ?? "1000";

async function main() {
  const options = readOptions();
  if (options.help) return console.log(USAGE);
  const skipped = {};
  const wanted = options.peers ?? (BESIDE_PEERS.includes(options.name) ? null : [OURS]);
  const refused = wanted?.every((name) => name === OURS) ? null : installPeers();
  if (refused) skipped["all peers that are not installed"] = refused;
  await withServers(async (servers) => {
    const peers = choose(wanted, servers, skipped);
    await (COMMANDS[options.name] ?? runPeers)({ ...options, servers, skipped, peers });
  });
  for (const [name, why] of Object.entries(skipped)) console.log(`SKIPPED ${name}: ${why}`);
}

/** Who runs; into `skipped` goes who does not, and why. */
function choose(wanted, servers, skipped) {
  const node22 = findNode22();
  if (node22 !== null) servers.env.BENCH_NODE22 = node22;
  const chosen = choosePeers(wanted, { node22, missing: servers.missing });
  Object.assign(skipped, chosen.skipped);
  for (const [name, why] of Object.entries(skipped)) console.log(`SKIPPED ${name}: ${why}`);
  if (chosen.running.length === 0) throw new UsageError("none of these peers can run here");
  return chosen.running;
}

/** Medians, ratios to the best, settings: the harness's own report, and where it was measured. */
async function runPeers(bench) {
  const tests = bench.tests ?? "enqueue,drain,latency,depth";
  publish(bench, await measurePeers(bench, tests, runsOf(bench)), []);
}

async function runDepth(bench) {
  const rows = await measurePeers(bench, "enqueue,drain,depth", runsOf(bench, 5));
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
  const rows = [...(await describe(bench)), ...(await measureCrash(bench))];
  publish(bench, rows, []);
}

async function runRawLimit(bench) {
  publish(bench, await describe(bench), [rawLimitTable(await measureLimit(bench))]);
}

/** Ours alone where it is held against itself. */
async function runBars(bench) {
  const ours = { ...bench, peers: [OURS] };
  const runs = runsOf(bench);
  const rawLimit = await measureLimit(bench);
  const rows = {
    peers: await measurePeers(bench, "enqueue,drain,latency", runs),
    depth: await measurePeers(ours, "enqueue,drain,depth", runs),
    xmin: await measureXmin(ours, runs),
    crash: await measureCrash(ours),
  };
  const [direct, pooled] = Object.values((await comparePgbouncer(ours, "drain")) ?? {});
  const [uncapped, capped] = Object.values(await compareCapped(ours, "drain"));
  const judged = judge(only({ ...rows, direct, pooled, uncapped, capped }, rawLimit));
  const shown = [...rows.peers, ...rows.crash];
  publish(bench, shown, [rawLimitTable(rawLimit), barTable(judged)]);
  if (!judged.every(({ met }) => met)) process.exitCode = 1;
}

function measurePeers({ peers, flags, servers }, tests, runs) {
  return measure("run", { ...flags, peers: peers.join(","), tests, runs }, servers.env);
}

/** Who they are, with their settings and the server's: measures nothing. */
function describe(bench) {
  return measurePeers(bench, "none", 1);
}

/** Each turn: the drain without, then five rounds of it under a snapshot. */
async function measureXmin(bench, runs) {
  const rows = [];
  for (let run = 1; run <= runs; run++) {
    const flags = { "xmin-rounds": 5, ...bench.flags };
    rows.push(...(await measurePeers({ ...bench, flags }, "enqueue,drain,xmin", 1)));
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
  const one = { name: "uncapped", env: { ...servers.env, BENCH_CAPS: "0" } };
  const other = { name: `limits of ${CAPS}`, env: { ...servers.env, BENCH_CAPS: CAPS } };
  return compare({ one, other, tests, runs: runsOf(bench), flags });
}

function measureCrash(bench) {
  const peers = bench.peers.join(",");
  const flags = { peers, modes: "default", runs: runsOf(bench), "cap-s": CRASH_CAP_S };
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
  const small = bench.quick ? QUICK_SAYS : "";
  const text = [report.trim(), ...sections, small, servers].filter(Boolean).join("\n\n");
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

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
