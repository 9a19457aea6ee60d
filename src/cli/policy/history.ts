/** Where a backtest reads what was measured: the database of this configuration, a running AlgoBrain, a Prometheus server. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Board } from "../../alert/board.js";
import { decodeChunk } from "../../alert/chunk.js";
import { BOUND, boundOf } from "../../alert/histogram.js";
import type { Labels } from "../../alert/instance.js";
import { prometheusName } from "../../alert/outlet/prometheus-name.js";
import type { Metric } from "../../policy/policy.js";
import type { HistorySource } from "../../review/port.js";
import { loadBoard } from "../../store/sample-history.js";
import { UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";
import { withDatabase } from "../settings.js";

export interface History {
  /** As people know it. */
  readonly name: string;
  /** Throws a Fault when it cannot be read. */
  load(wanted: HistoryWanted): Promise<Board>;
}

export interface HistoryWanted {
  readonly metrics: readonly Metric[];
  /** Excluded. */
  readonly from: Date;
  /** Included. */
  readonly to: Date;
}

/** For all calls of a server together. */
const DEADLINE_MS = 5 * 60_000;
/** Between two samples, as ours stand. */
const STEP_MS = 15_000;

const EXPECTED = "db, or api: or prometheus: and an address without a password";

/** @param typed `db`, `api:https://host`, or `prometheus:https://host` */
export async function openHistory(
  typed: string,
  tokenFile: string | undefined,
  io: CommandIo,
): Promise<History> {
  if (typed === "db") return ofDatabase(io);
  const [, kind, url = ""] = /^(api|prometheus):(https?:\/\/.+)$/.exec(typed) ?? [];
  // Not shown: it may hold a password.
  if (kind === undefined || !isPlain(url)) throw new UsageError(`--history: expected ${EXPECTED}`);
  const token = await readToken(tokenFile, io);
  if (kind === "prometheus") {
    // Loaded only here, as the next one: the database needs neither.
    const { createPrometheusHistory } = await import("../../adapter/prometheus-history.js");
    return ofSource(createPrometheusHistory({ url, token }), true);
  }
  if (token === null)
    throw new UsageError("--token-file is missing: a file with a viewer's token for the API");
  const { createApiHistory } = await import("../../adapter/api-history.js");
  return ofSource(createApiHistory({ url, token, decode: decodeChunk }));
}

function isPlain(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === "" && password === "";
}

/** From a file and never from the command line, where every user of the machine would see it. */
async function readToken(path: string | undefined, io: CommandIo): Promise<string | null> {
  return path === undefined ? null : (await readFile(resolve(io.cwd, path), "utf8")).trim();
}

function ofDatabase(io: CommandIo): History {
  return {
    name: "db",
    load: ({ metrics, from, to }) =>
      withDatabase(io, (db) => {
        const names = metrics.map(({ name }) => name);
        return loadBoard(db, { metrics: names, from, to });
      }),
  };
}

function ofSource(source: HistorySource, isScaled = false): History {
  return {
    name: source.name,
    load: async ({ metrics, from, to }) => {
      const wanted = { metrics: metrics.map(toWanted), from, to, stepMs: STEP_MS };
      const series = await source.load(wanted, AbortSignal.timeout(DEADLINE_MS));
      const factors = new Map(metrics.map((one) => [one.name, prometheusName(one).factor]));
      const board = new Board();
      for (const { metric, labels, times, values } of series) {
        const factor = isScaled ? (factors.get(metric) ?? 1) : 1;
        board.adopt(metric, inOurBounds(labels, factor), times, values);
      }
      return board;
    },
  };
}

/** The server's values are to be in our unit again. Buckets count: of these only the bounds have a unit. */
function toWanted(metric: Metric) {
  const { name, factor } = prometheusName(metric);
  const isHistogram = metric.kind === "histogram";
  return {
    ...{ name: metric.name, labels: metric.labels },
    prometheusName: isHistogram ? `${name}_bucket` : name,
    factor: isHistogram ? 1 : 1 / factor,
  };
}

function inOurBounds(labels: Labels, factor: number): Labels {
  const bound = boundOf(labels);
  if (factor === 1 || !Number.isFinite(bound)) return labels;
  // 0.005 s are 5 ms, and not 5.000000000000001.
  return { ...labels, [BOUND]: String(Number((bound / factor).toPrecision(12))) };
}
