/**
 * What a Prometheus server remembers of our metrics, for backtests. Asked by range selectors in an instant query
 * (`name[1d]` at a time), which answer with the samples as they were scraped: a range query would answer at each
 * step and fill gaps of up to five minutes, and a backtest would not see that data was missing.
 * https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
 */
import { DAY_MS, MINUTE_MS } from "../base/duration.js";
import { Fault, fault } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import type { HistorySeries, HistorySource, WantedHistory } from "../review/port.js";
import { faultOfStatus, sendHttp } from "./http.js";

export interface PrometheusHistoryOptions {
  /** Where its API begins: what comes before `/api/v1/query`. */
  readonly url: string;
  /** A bearer token; default: none. */
  readonly token?: string | null;
  /** Milliseconds of one call. Default 30 s. */
  readonly timeoutMs?: number;
}

type WantedMetric = WantedHistory["metrics"][number];
type Labels = Readonly<Record<string, string>>;
/** Milliseconds and value. */
type Point = readonly [at: number, value: number];

const SYSTEM = "PROMETHEUS";
const TIMEOUT_MS = 30_000;
/** A day of a few hundred series; who has more is asked for less than a day. */
const BYTES_MAX = 64 * 1_048_576;
const SPAN_MAX_MS = DAY_MS;
const SPAN_MIN_MS = 10 * MINUTE_MS;
const UNPROCESSABLE = 422;
/** Characters of a wrong answer in a message. */
const SHOWN = 200;

/** A metric in (from, to], in milliseconds. */
interface Span {
  readonly metric: WantedMetric;
  readonly from: number;
  readonly to: number;
}
type Query = (span: Span) => Promise<readonly RawSeries[]>;

/** Throws a refused Fault for an address that is none, or that holds credentials. */
export function createPrometheusHistory(options: PrometheusHistoryOptions): HistorySource {
  const base = baseOf(options.url);
  return {
    name: `prometheus:${base.host}`,
    load: async ({ metrics, from, to }, signal) => {
      const series: HistorySeries[] = [];
      for (const metric of metrics) {
        const span = { metric, from: from.getTime(), to: to.getTime() };
        series.push(...(await loadMetric((part) => query(options, base, part, signal), span)));
      }
      return series;
    },
  };
}

async function loadMetric(ask: Query, { metric, from, to }: Span): Promise<HistorySeries[]> {
  const found = new Collected(metric);
  for (let start = from; start < to; start += SPAN_MAX_MS)
    await loadSpan(ask, { metric, from: start, to: Math.min(start + SPAN_MAX_MS, to) }, found);
  return found.series();
}

/** By halves where the answer would be too large. */
async function loadSpan(ask: Query, span: Span, found: Collected): Promise<void> {
  try {
    found.add(await ask(span), span);
  } catch (error) {
    const { from, to } = span;
    if (!isTooMuch(error) || to - from <= SPAN_MIN_MS) throw error;
    const middle = Math.floor((from + to) / 2);
    await loadSpan(ask, { ...span, to: middle }, found);
    await loadSpan(ask, { ...span, from: middle }, found);
  }
}

/** Ours gives up over a number of bytes; theirs, with 422, over a number of samples (`--query.max-samples`). */
function isTooMuch(error: unknown): boolean {
  if (!(error instanceof Fault)) return false;
  const { code, details } = error;
  return (
    code === `${SYSTEM}_ANSWER_TOO_LARGE` ||
    (code === `${SYSTEM}_REFUSED` && details?.status === UNPROCESSABLE)
  );
}

interface RawSeries {
  readonly metric: Readonly<Record<string, unknown>>;
  readonly values: readonly unknown[];
}

async function query(
  { token = null, timeoutMs = TIMEOUT_MS }: PrometheusHistoryOptions,
  base: URL,
  { metric, from, to }: Span,
  signal: AbortSignal,
): Promise<readonly RawSeries[]> {
  const url = new URL("api/v1/query", base);
  url.searchParams.set("query", `${metric.prometheusName}[${to - from}ms]`);
  url.searchParams.set("time", (to / 1_000).toFixed(3));
  const response = await sendHttp({
    ...{ system: SYSTEM, method: "GET", url: url.href, timeoutMs, signal, bytesMax: BYTES_MAX },
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });
  const refused = faultOfStatus(SYSTEM, response, `the query for ${metric.prometheusName}`);
  if (refused) throw refused;
  return readMatrix(response.text);
}

function readMatrix(text: string): readonly RawSeries[] {
  const answer = parse(text);
  const data = isJsonObject(answer) && answer.status === "success" ? answer.data : null;
  const result = isJsonObject(data) && data.resultType === "matrix" ? data.result : null;
  if (!Array.isArray(result)) throw misread("no matrix", text);
  return result.map((one) => {
    if (!isJsonObject(one) || !isJsonObject(one.metric) || !Array.isArray(one.values))
      throw misread("a series without metric and values", JSON.stringify(one));
    return { metric: one.metric, values: one.values };
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw misread("no JSON", text, error);
  }
}

function misread(what: string, text: string, cause?: unknown): Fault {
  return fault.data("PROMETHEUS_ANSWER_INVALID", `it answered ${what}: ${text.slice(0, SHOWN)}`, {
    hint: "is there a Prometheus API (/api/v1/query) at this address?",
    cause,
  });
}

/**
 * Series under the labels that the catalogue knows: what a scrape adds (`job`, `instance`) falls away. Several
 * processes expose the same figures, so that their samples are one series; of one moment the first is taken.
 */
class Collected {
  readonly #metric: WantedMetric;
  readonly #byLabels = new Map<string, { readonly labels: Labels; points: Point[] }>();

  constructor(metric: WantedMetric) {
    this.#metric = metric;
  }

  /** Spans are added in order of time. Older servers answer with the sample at `from` too: it belongs to the span before. */
  add(raw: readonly RawSeries[], { from, to }: Span): void {
    const added = new Map<string, Point[]>();
    for (const { metric, values } of raw) {
      const labels = this.#labelsOf(metric);
      const key = JSON.stringify(labels);
      const points = pointsOf(values, this.#metric.factor).filter(([at]) => at > from && at <= to);
      added.set(key, [...(added.get(key) ?? []), ...points]);
      if (!this.#byLabels.has(key)) this.#byLabels.set(key, { labels, points: [] });
    }
    for (const [key, points] of added) {
      const known = this.#byLabels.get(key)!;
      known.points = known.points.concat(inOrder(points));
    }
  }

  series(): HistorySeries[] {
    const { name } = this.#metric;
    return [...this.#byLabels.values()]
      .filter(({ points }) => points.length > 0)
      .map(({ labels, points }) => ({
        ...{ metric: name, labels },
        times: Float64Array.from(points, ([at]) => at),
        values: Float64Array.from(points, ([, value]) => value),
      }));
  }

  #labelsOf(metric: RawSeries["metric"]): Labels {
    const known = this.#metric.labels.filter((label) => typeof metric[label] === "string");
    return Object.fromEntries(known.map((label) => [label, String(metric[label])]));
  }
}

/** `[seconds, "value"]` each; NaN and infinities are no samples. */
function pointsOf(values: readonly unknown[], factor: number): Point[] {
  return values.flatMap((pair): Point[] => {
    if (!Array.isArray(pair) || typeof pair[0] !== "number" || typeof pair[1] !== "string")
      throw misread("a sample that is no [time, text]", JSON.stringify(pair));
    const value = Number(pair[1]) * factor;
    return Number.isFinite(value) ? [[Math.round(pair[0] * 1_000), value]] : [];
  });
}

function inOrder(points: readonly Point[]): Point[] {
  const sorted = [...points].sort(([a], [b]) => a - b);
  return sorted.filter(([at], i) => at !== sorted[i - 1]?.[0]);
}

function baseOf(text: string): URL {
  const slashed = text.endsWith("/") ? text : `${text}/`;
  const url = URL.canParse(slashed) ? new URL(slashed) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw fault.refused(
      "PROMETHEUS_ADDRESS_INVALID",
      "the address of Prometheus is no http(s) URL",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw fault.refused(
      "PROMETHEUS_ADDRESS_INVALID",
      "the address of Prometheus holds credentials",
      {
        hint: "give a token instead: addresses are shown in logs and reports",
      },
    );
  }
  return url;
}
