/** What a running AlgoBrain has measured, read over its API: for a backtest that has no way to its database, as in CI. */
import { DAY_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { HistorySeries, HistorySource } from "../review/port.js";
import { faultOfStatus, sendHttp } from "./http.js";

interface Samples {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

export interface ApiHistoryOptions {
  /** Of the service, e.g. `https://control.example`. */
  readonly url: string;
  /** A viewer's. */
  readonly token: string;
  /** Reads a stored day of a series: `decodeChunk` of alert/chunk. Throws a data Fault for what is none. */
  readonly decode: (dayMs: number, data: Uint8Array) => Samples;
  /** Milliseconds of one call. Default 30 s. */
  readonly timeoutMs?: number;
}

interface Asked {
  readonly metric: string;
  readonly from: number;
  readonly to: number;
}

const SYSTEM = "HISTORY_API";
const TIMEOUT_MS = 30_000;
/** Twenty series of a month. */
const BYTES_MAX = 64 * 1_048_576;
/** What one answer covers at most. */
const SPAN_MAX_MS = 31 * DAY_MS;

export function createApiHistory(options: ApiHistoryOptions): HistorySource {
  const base = options.url.replace(/\/+$/, "");
  return {
    name: `api:${base}`,
    load: async ({ metrics, from, to }, signal) => {
      const all: HistorySeries[] = [];
      for (const { name } of metrics) {
        const span = { metric: name, from: from.getTime(), to: to.getTime() };
        all.push(...(await loadMetric({ ...options, url: base }, span, signal)));
      }
      return all;
    },
  };
}

async function loadMetric(
  options: ApiHistoryOptions,
  { metric, from, to }: Asked,
  signal: AbortSignal,
): Promise<HistorySeries[]> {
  const found = new Map<string, { labels: HistorySeries["labels"]; parts: Samples[] }>();
  for (let start = from; start < to; start += SPAN_MAX_MS) {
    const span = { metric, from: start, to: Math.min(start + SPAN_MAX_MS, to) };
    for await (const { labels, days } of pagesOf(options, span, signal)) {
      const key = JSON.stringify(labels);
      const known = found.get(key) ?? { labels, parts: [] };
      found.set(key, known);
      for (const day of days) known.parts.push(cut(readDay(options, day), span));
    }
  }
  return [...found.values()]
    .map(({ labels, parts }) => ({ metric, labels, ...joined(parts) }))
    .filter(({ times }) => times.length > 0);
}

interface SeriesDays {
  readonly labels: HistorySeries["labels"];
  readonly days: readonly JsonObject[];
}

async function* pagesOf(
  options: ApiHistoryOptions,
  { metric, from, to }: Asked,
  signal: AbortSignal,
): AsyncGenerator<SeriesDays> {
  let after = 0;
  for (;;) {
    const query = new URLSearchParams({
      ...{ metric, after: String(after) },
      ...{ from: new Date(from).toISOString(), to: new Date(to).toISOString() },
    });
    const page = await get(options, `/api/v1/samples/history?${query}`, signal);
    if (!Array.isArray(page.series)) throw misread("no list of series");
    for (const series of page.series) yield toSeriesDays(series);
    if (typeof page.next !== "number" || page.next <= after) return;
    after = page.next;
  }
}

async function get(
  { url, token, timeoutMs = TIMEOUT_MS }: ApiHistoryOptions,
  path: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const response = await sendHttp({
    ...{ system: SYSTEM, method: "GET", url: `${url}${path}`, timeoutMs, signal },
    ...{ bytesMax: BYTES_MAX, headers: { authorization: `Bearer ${token}` } },
  });
  const refused = faultOfStatus(SYSTEM, response, "the query for history");
  if (refused) throw refused;
  try {
    const answer: unknown = JSON.parse(response.text);
    if (isJsonObject(answer)) return answer;
  } catch (error) {
    throw misread("no JSON", error);
  }
  throw misread("no object");
}

function toSeriesDays(series: unknown): SeriesDays {
  if (!isJsonObject(series) || !isJsonObject(series.labels) || !Array.isArray(series.days))
    throw misread("a series without labels and days");
  const labels = Object.entries(series.labels).map(([key, value]) => [key, String(value)]);
  return { labels: Object.fromEntries(labels), days: series.days.filter(isJsonObject) };
}

function readDay({ decode }: ApiHistoryOptions, { day, data }: JsonObject): Samples {
  const dayMs = typeof day === "string" ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(dayMs) || typeof data !== "string") throw misread("a day without date and data");
  return decode(dayMs, Buffer.from(data, "base64"));
}

/** Days come whole; (from, to] is wanted. */
function cut({ times, values }: Samples, { from, to }: Asked): Samples {
  const isIn = (i: number) => times[i]! > from && times[i]! <= to;
  if (times.length > 0 && isIn(0) && isIn(times.length - 1)) return { times, values };
  return { times: times.filter((_, i) => isIn(i)), values: values.filter((_, i) => isIn(i)) };
}

/** The parts follow one another in time. */
function joined(parts: readonly Samples[]): Samples {
  const length = parts.reduce((sum, { times }) => sum + times.length, 0);
  const all = { times: new Float64Array(length), values: new Float64Array(length) };
  let place = 0;
  for (const { times, values } of parts) {
    all.times.set(times, place);
    all.values.set(values, place);
    place += times.length;
  }
  return all;
}

function misread(what: string, cause?: unknown): Error {
  return fault.data("HISTORY_API_ANSWER_INVALID", `the service answered ${what}`, {
    hint: "is this the address of an AlgoBrain that keeps samples in chunks?",
    cause,
  });
}
