/**
 * Backtests beside vmalert's: the same rules over the same samples. Each of its firing ticks must be one of ours, and
 * ours must be the faster by ten times. Both sides are timed without their start: vmalert by the lines of its own log,
 * we from stored chunks to the last transition.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../src/adapter/postgres/reach.js";
import { encodeChunk } from "../../src/alert/chunk.js";
import type { AlertRule } from "../../src/policy/policy.js";
import { ROOT } from "../house/source-tree.js";
import { makeLevel, makeMetric, makeRule } from "../support/make-policy.js";
import { until } from "../support/until.js";
import { findPeer } from "./debian.js";

const run = promisify(execFile);

const [DAY, MINUTE] = [86_400_000, 60_000];
const START = Date.UTC(2026, 8, 1);
const DAYS = 70;
const RULES = 100;
const SEED = 4_711;
const ROUNDS = 3;
const FASTER_AT_LEAST = 10;
const TICKS = (DAYS * DAY) / MINUTE;
const END = START + (TICKS - 1) * MINUTE;

const vmalert = await findPeer("vmalert");
const database = await findPeer("victoria-metrics");
const missing = [vmalert, database].flatMap((peer) => (peer.ok ? [] : [peer.reason]));

/** Park and Miller's minimal standard generator: [0, 1). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}

/**
 * Stands at a level for a while, then at another; with four digits, as samples are stored. The high level of every
 * tenth series lies on the line of its rule: it flaps.
 */
function valuesOf(n: number): Float64Array {
  const random = randomOf(SEED + n);
  const high = n % 10 === 0 ? 0.92 : 0.96;
  let [level, left] = [0, 0];
  return Float64Array.from({ length: TICKS }, () => {
    if (left === 0) [level, left] = [random() < 0.1 ? high : 0.4, Math.ceil(random() * 120)];
    left -= 1;
    return Math.round((level + random() * 0.1) * 10_000) / 10_000;
  });
}

interface Case {
  readonly rule: AlertRule;
  readonly expr: string;
  readonly values: Float64Array;
}

/** Half of them on the newest sample, half on a mean; over 0.95 for 0 to 10 minutes. */
const CASES = Array.from({ length: RULES }, (_, n): Case => {
  const metric = `load_${n}`;
  const of = { metric, where: {} };
  const isMean = n % 2 === 1;
  const forMs = (n % 11) * MINUTE;
  const rule = makeRule({
    name: `rule_${n}`,
    everyMs: MINUTE,
    signal: isMean
      ? { form: "agg", fn: "avg", of, overMs: 5 * MINUTE, fullWindow: false }
      : { form: "last", of },
    levels: [makeLevel({ id: `L${n}`, op: ">", value: 0.95, forMs })],
  });
  const value = isMean ? `avg_over_time(${metric}[5m])` : metric;
  return { rule, expr: `${value} > 0.95`, values: valuesOf(n) };
});

const METRICS = Object.fromEntries(
  CASES.map((_, n) => [`load_${n}`, makeMetric(`load_${n}`, { kind: "gauge" })]),
);

/** As YAML; JSON is YAML. */
const RULE_FILE = JSON.stringify({
  groups: CASES.map(({ rule, expr }) => ({
    name: rule.name,
    interval: "1m",
    rules: [{ alert: rule.name, expr, for: `${rule.levels[0]!.forMs / 1_000}s` }],
  })),
});

interface Served {
  readonly process: ChildProcess;
  readonly url: string;
}

async function serve(path: string, folder: string): Promise<Served> {
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    `-httpListenAddr=${address}`,
    `-storageDataPath=${join(folder, "data")}`,
    "-retentionPeriod=100y",
    "-loggerLevel=ERROR",
  ];
  const process = spawn(path, args, { stdio: "ignore" });
  const url = `http://${address}`;
  await until(() => answers(`${url}/health`), `${path} answers on ${url}`);
  return { process, url };
}

/** While it starts nobody listens yet: that is the answer no. */
async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function importSamples(url: string): Promise<void> {
  const timestamps = Array.from({ length: TICKS }, (_, i) => START + i * MINUTE);
  for (const [n, { values }] of CASES.entries()) {
    const line = { metric: { __name__: `load_${n}` }, values: [...values], timestamps };
    const { status } = await fetch(`${url}/api/v1/import`, {
      method: "POST",
      body: `${JSON.stringify(line)}\n`,
    });
    expect(status).toBe(204);
  }
  await fetch(`${url}/internal/force_flush`);
}

/** What one query of vmalert asks for, in points: as it comes, and the most that the database answers. */
const LARGEST_QUERY = 29_999;
const QUERY_POINTS = { "as it comes": 1_000, "in its largest queries": LARGEST_QUERY } as const;

/** Milliseconds between the last word of its start and the last of its log. */
async function replayTheirs(
  path: string,
  url: string,
  rules: string,
  points: number,
): Promise<number> {
  const { stderr } = await run(
    path,
    [
      `-rule=${rules}`,
      `-datasource.url=${url}`,
      `-remoteWrite.url=${url}`,
      `-httpListenAddr=127.0.0.1:${await freePort()}`,
      `-replay.timeFrom=${new Date(START).toISOString()}`,
      `-replay.timeTo=${new Date(END).toISOString()}`,
      // Its rest of a second after each rule is left out.
      "-replay.rulesDelay=0s",
      // Else it evaluates each five minutes, whatever the interval of the rule.
      "-datasource.queryStep=1m",
      `-replay.maxDatapointsPerQuery=${points}`,
      "-replay.disableProgressBar",
    ],
    { timeout: 240_000, maxBuffer: 64 * 1024 * 1024 },
  );
  const lines = stderr.split("\n").filter((line) => line !== "");
  const end = lines.findIndex((line) => line.includes("replay finished"));
  if (end < 1) throw new Error(`vmalert did not finish:\n${stderr.slice(-2_000)}`);
  const [started, finished] = [end - 1, end].map((i) => Date.parse(lines[i]!.split("\t")[0]!));
  return finished! - started!;
}

/** Ticks at which a rule fired, by rule. */
type Firing = ReadonlyMap<string, ReadonlySet<number>>;

async function theirFiring(url: string): Promise<Map<string, Set<number>>> {
  await fetch(`${url}/internal/force_flush`);
  const match = encodeURIComponent('ALERTS{alertstate="firing"}');
  const range = `start=${START / 1_000}&end=${END / 1_000}`;
  const response = await fetch(`${url}/api/v1/export?match[]=${match}&${range}`);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const { metric, timestamps } = JSON.parse(line) as {
        metric: { alertname: string };
        timestamps: number[];
      };
      return [metric.alertname, new Set(timestamps)];
    }),
  );
}

/** All series in chunks of a day, as the store keeps them, for the process that replays them. */
async function storeScene(folder: string): Promise<void> {
  const parts: Uint8Array[] = [];
  let at = 0;
  const perDay = DAY / MINUTE;
  const series = CASES.map(({ values }, n) => ({
    metric: `load_${n}`,
    samples: TICKS,
    chunks: Array.from({ length: DAYS }, (_, d) => {
      const day = START + d * DAY;
      const times = Float64Array.from({ length: perDay }, (_unused, i) => day + i * MINUTE);
      const data = encodeChunk(day, { times, values: values.slice(d * perDay, (d + 1) * perDay) });
      parts.push(data);
      at += data.length;
      return { day, at: at - data.length, length: data.length };
    }),
  }));
  const rules = CASES.map(({ rule }) => rule);
  const scene = { rules, metrics: METRICS, from: START, to: END, rounds: ROUNDS, series };
  await writeFile(join(folder, "scene.json"), JSON.stringify(scene));
  await writeFile(join(folder, "chunks.bin"), Buffer.concat(parts));
}

interface Ours {
  readonly ms: readonly number[];
  readonly ticks: number;
  readonly events: readonly (readonly [rule: string, kind: string, at: number])[];
}

/** As built, in a process of its own: a test runner's way of importing costs a third. */
async function replayOurs(folder: string): Promise<Ours> {
  const script = join(ROOT, "bench", "alerts", "backtest.mjs");
  const { stdout, stderr } = await run(process.execPath, [script, folder], {
    timeout: 240_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  process.stdout.write(stderr);
  return JSON.parse(stdout) as Ours;
}

function ourFiring({ events }: Ours): Firing {
  const firing = new Map<string, Set<number>>();
  const since = new Map<string, number>();
  const ends = CASES.map(({ rule }) => [rule.name, "resolved", END + MINUTE] as const);
  for (const [rule, kind, at] of [...events, ...ends]) {
    if (kind === "fired") since.set(rule, at);
    const from = since.get(rule);
    if (kind !== "resolved" || from === undefined) continue;
    const ticks = firing.get(rule) ?? new Set();
    for (let tick = from; tick < at; tick += MINUTE) ticks.add(tick);
    firing.set(rule, ticks);
    since.delete(rule);
  }
  return firing;
}

/**
 * Inside one query all ticks are the same. Behind it vmalert has forgotten what was pending (it begins anew with each
 * query), so there it fires later than we do, and never where we do not.
 */
function compare(found: Firing, wanted: Firing): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  const end = START + LARGEST_QUERY * MINUTE;
  const inOneQuery = (ticks: ReadonlySet<number>) =>
    [...ticks].filter((at) => at < end).sort((a, b) => a - b);
  let [same, later] = [0, 0];
  for (const [name, theirs] of wanted) {
    const ours = found.get(name)!;
    expect([...theirs].filter((at) => !ours.has(at))).toEqual([]);
    expect(inOneQuery(theirs)).toEqual(inOneQuery(ours));
    same += theirs.size;
    later += ours.size - theirs.size;
  }
  console.log(
    `${same} firing ticks of ${wanted.size} rules are the same, ${later} of ours vmalert misses behind a border of two queries`,
  );
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

const title = missing.length === 0 ? "vmalert -replay" : `vmalert -replay: ${missing.join("; ")}`;

describe.skipIf(missing.length > 0)(title, () => {
  let folder: string;
  let served: Served;
  let rules: string;

  beforeAll(async () => {
    if (!database.ok) return;
    folder = await mkdtemp(join(tmpdir(), "algobrain-vmalert-"));
    rules = join(folder, "rules.yaml");
    await writeFile(rules, RULE_FILE);
    served = await serve(database.path, folder);
    await importSamples(served.url);
    await storeScene(folder);
  });

  afterAll(async () => {
    if (served) {
      const ended = once(served.process, "exit");
      served.process.kill("SIGTERM");
      await ended;
    }
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test(`fires at the same ticks, and ours is ${FASTER_AT_LEAST} times as fast`, async () => {
    if (!vmalert.ok) return;
    const { path, version } = vmalert;
    const theirs: Record<string, number[]> = {};
    for (const [name, points] of Object.entries(QUERY_POINTS)) {
      theirs[name] = [];
      for (let round = 0; round < ROUNDS; round += 1)
        theirs[name].push(await replayTheirs(path, served.url, rules, points));
    }
    const ours = await replayOurs(folder);
    const { ticks } = ours;
    expect(ticks).toBe(RULES * TICKS);

    const rate = (all: readonly number[]) => ticks / (median(all) / 1_000);
    const shown = (perSecond: number) => Math.round(perSecond).toLocaleString("en");
    const our = rate(ours.ms);
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`;
    console.log(`${RULES} rules, ${DAYS} days at 1 min, seed ${SEED}, ${machine}, ${version}`);
    console.log(`ours ${shown(our)} ticks a second`);
    for (const [name, all] of Object.entries(theirs)) {
      const their = rate(all);
      console.log(
        `vmalert ${name} ${shown(their)}: ours is ${(our / their).toFixed(1)} times that`,
      );
    }
    compare(ourFiring(ours), await theirFiring(served.url));
    expect(our / rate(theirs["as it comes"]!)).toBeGreaterThanOrEqual(FASTER_AT_LEAST);
  });
});
