/** Where a backtest reads what was measured: the database of this configuration, or a Prometheus server. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Board } from "../../alert/board.js";
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

/** @param typed `db`, or `prometheus:https://host` */
export async function openHistory(
  typed: string,
  tokenFile: string | undefined,
  io: CommandIo,
): Promise<History> {
  if (typed === "db") return ofDatabase(io);
  const url = /^prometheus:(https?:\/\/.+)$/.exec(typed)?.[1];
  if (url === undefined)
    throw new UsageError("--history: expected db, or prometheus: and the address of its API");
  // From a file and never from the command line, where every user of the machine would see it.
  const token = tokenFile && (await readFile(resolve(io.cwd, tokenFile), "utf8")).trim();
  // Loaded only here: the database needs none of it.
  const { createPrometheusHistory } = await import("../../adapter/prometheus-history.js");
  return ofSource(createPrometheusHistory({ url, token: token ?? null }));
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

function ofSource(source: HistorySource): History {
  return {
    name: source.name,
    load: async ({ metrics, from, to }) => {
      const wanted = { metrics: metrics.map(toWanted), from, to, stepMs: STEP_MS };
      const board = new Board();
      for (const { metric, labels, times, values } of await source.load(
        wanted,
        AbortSignal.timeout(DEADLINE_MS),
      ))
        board.adopt(metric, inOurBounds(labels, factorOf(metrics, metric)), times, values);
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

function factorOf(metrics: readonly Metric[], name: string): number {
  const metric = metrics.find((one) => one.name === name);
  return metric ? prometheusName(metric).factor : 1;
}

function inOurBounds(labels: Labels, factor: number): Labels {
  const bound = boundOf(labels);
  if (!Number.isFinite(bound)) return labels;
  // 0.005 s are 5 ms, and not 5.000000000000001.
  return { ...labels, [BOUND]: String(Number((bound / factor).toPrecision(12))) };
}
