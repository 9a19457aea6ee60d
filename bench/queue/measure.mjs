// Runs a script of the harness, shows its steps in a readable line each, and hands back its rows.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ADAPTER_FOLDERS } from "./peers.mjs";

export const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const MESSAGE_MAX = 1_000;

let running = null;

/** Ends what is being measured, with all its processes. */
export function stopMeasuring() {
  if (running === null) return;
  try {
    process.kill(-running.pid, "SIGTERM");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/**
 * `script` is run or crash; `flags` its options by name; `env` what servers and adapters need besides. Every row gets the
 * fields of `mark`. Throws an Error with the harness's last words when it fails as a whole; a step that failed is a row
 * with `error`.
 */
export async function measure(script, flags, env, mark = {}) {
  mkdirSync(`${FOLDER}results/raw`, { recursive: true });
  const out = `results/raw/${new Date().toISOString().replace(/[:.]/g, "-")}.jsonl`;
  const args = Object.entries({ ...flags, out }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const child = spawn(process.execPath, [`harness/${script}.mjs`, ...args], {
    cwd: FOLDER,
    // A group of its own, so that it ends with the processes that it started.
    detached: true,
    env: { ...process.env, BENCH_ADAPTERS: ADAPTER_FOLDERS.join(":"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running = child;
  const rows = [];
  let said = "";
  child.stderr.on("data", (data) => {
    said = (said + data).slice(-MESSAGE_MAX);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const row = { ...JSON.parse(line), ...mark };
    rows.push(row);
    if (row.peer) console.log(`  ${inWords(row)}`);
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  running = null;
  if (code !== 0) throw new Error(`harness/${script}.mjs ended with ${code}: ${said.trim()}`);
  return rows;
}

/** The middle of what was measured; undefined when nothing was. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Values of one measure over the runs of one peer. */
export function valuesOf(rows, { kind, peer, mode, key = "rate" }) {
  return rows
    .filter((row) => row.kind === kind && row.peer === peer && !row.error)
    .filter((row) => (mode === undefined || row.mode === mode) && row[key] !== undefined)
    .map((row) => row[key]);
}

export function medianOf(rows, of) {
  const values = valuesOf(rows, of);
  return values.length === 0 ? undefined : median(values);
}

/** 23,456 or 4.5: as many digits as mean something. */
export function digits(value) {
  if (value === undefined || value === null) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value < 10 ? 2 : 1);
}

function inWords(row) {
  const what = [row.peer, row.kind, row.mode, row.run && `run ${row.run}`]
    .filter(Boolean)
    .join(" ");
  if (row.error) return `${what}: FAILED: ${row.error.split("\n")[0]}`;
  if (row.kind === "latency")
    return `${what}: p50 ${digits(row.p50)} ms, p99 ${digits(row.p99)} ms`;
  if (row.kind === "crash")
    return `${what}: ${row.seconds === null ? "never" : digits(row.seconds)} s`;
  if (row.rate === undefined) return `${what}: ${digits(row.seconds)} s`;
  return `${what}: ${digits(row.rate)} jobs/s${row.capped ? ", stopped at the cap" : ""}`;
}
