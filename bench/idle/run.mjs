// What the product costs while it has nothing to do: its processes on a private home with an embedded database, and
// of each the share of one core and the memory. Ends with 1 when one of them is above the bar. Linux only.
//
//   npm run bench:idle                                   a minute to settle, a minute of measuring
//   npm run bench:idle -- --settle 150 --seconds 30      what starting cost (compiling, first sessions) is further away
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const BIN = fileURLToPath(new URL("../../bin/algobrain.js", import.meta.url));
const { values } = parseArgs({
  options: {
    settle: { type: "string", default: "60" },
    seconds: { type: "string", default: "60" },
  },
});
const [SETTLE_S, MEASURE_S] = [values.settle, values.seconds].map((text) => {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`found "${text}", expected whole seconds`);
  return Number(text);
});
const CPU_BAR_PERCENT = 1;
const MEMORY_BAR_MB = 200;
/** The main one, two general workers, one of the internal lane, the executor. */
const PROCESSES = 5;
const START_MAX_MS = 60_000;
/** The unit of time in /proc, on every Linux that Node runs on. */
const TICK_MS = 10;

/** `all` grows with each process that starts, `ready` counts those that run. */
function startProduct(home) {
  // The machine's own settings must not steer what is measured.
  const env = { PATH: process.env.PATH, HOME: home, ALGOBRAIN_HOME: home, PORT: "0" };
  const child = spawn(process.execPath, [BIN, "serve"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const product = { child, all: new Map([["main", child.pid]]), ready: 0 };
  createInterface({ input: child.stderr }).on("line", (line) => {
    const { event, name, pid } = readEvent(line);
    if (event === "process.started") product.all.set(name, pid);
    if (event === "runtime.started") product.ready += 1;
  });
  return product;
}

async function untilReady(product) {
  const giveUpMs = performance.now() + START_MAX_MS;
  while (product.ready < PROCESSES) {
    if (product.child.exitCode !== null) throw new Error("it ended: is it built?");
    if (performance.now() > giveUpMs) throw new Error(`not up after ${START_MAX_MS} ms`);
    await sleep(100);
  }
}

function readEvent(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

/** Of all threads, user and system. */
function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before the last bracket may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function residentMb(pid) {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(kb) / 1_024;
}

async function measure(all) {
  const startMs = performance.now();
  const before = new Map([...all].map(([name, pid]) => [name, { pid, ms: cpuMs(pid) }]));
  await sleep(MEASURE_S * 1_000);
  const tookMs = performance.now() - startMs;
  return [...before].map(([name, { pid, ms }]) => {
    if (all.get(name) !== pid) throw new Error(`${name} died meanwhile`);
    return { name, cpuPercent: ((cpuMs(pid) - ms) / tookMs) * 100, memoryMb: residentMb(pid) };
  });
}

function tell(rows) {
  console.log(`${"process".padEnd(14)}${"% of a core".padStart(12)}${"MB".padStart(8)}`);
  for (const { name, cpuPercent, memoryMb } of rows) {
    const figures = [cpuPercent.toFixed(2).padStart(12), memoryMb.toFixed(0).padStart(8)];
    console.log(`${name.padEnd(14)}${figures.join("")}  ${isMet(rows, name) ? "" : "NOT MET"}`);
  }
  const bar = [CPU_BAR_PERCENT.toFixed(2).padStart(12), String(MEMORY_BAR_MB).padStart(8)];
  console.log(`${"less than".padEnd(14)}${bar.join("")}`);
}

function isMet(rows, name) {
  const { cpuPercent, memoryMb } = rows.find((row) => row.name === name);
  return cpuPercent < CPU_BAR_PERCENT && memoryMb < MEMORY_BAR_MB;
}

const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-idle-")));
// When root runs it, another account runs the database: it must be able to enter.
chmodSync(home, 0o755);
const product = startProduct(home);
try {
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}`);
  console.log(`${SETTLE_S} s to settle, then ${MEASURE_S} s of measuring`);
  await untilReady(product);
  await sleep(SETTLE_S * 1_000);
  const rows = await measure(product.all);
  tell(rows);
  if (rows.length !== PROCESSES) throw new Error(`${rows.length} processes, expected ${PROCESSES}`);
  process.exitCode = rows.every(({ name }) => isMet(rows, name)) ? 0 : 1;
} finally {
  if (product.child.exitCode === null) {
    product.child.kill("SIGTERM");
    await once(product.child, "exit");
  }
  rmSync(home, { recursive: true, force: true });
}
