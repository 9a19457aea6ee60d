/** A stand-in for Prometheus' query API, as far as `name[…ms]` at a time goes: raw samples, both ends included, as 2.x answers. */
import {
  type LoopbackAnswer,
  type LoopbackRequest,
  type Misbehaviour,
  startLoopback,
} from "./loopback.js";

export interface StandInSeries {
  /** With `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds and value as text. */
  readonly samples: readonly (readonly [at: number, value: string])[];
}

export interface StandInPrometheus {
  readonly url: string;
  readonly series: StandInSeries[];
  /** One each, in order. */
  readonly asked: { readonly query: string; readonly authorization: string | null }[];
  /** As `--query.max-samples`: a query that would read more is refused with 422. */
  maxSamples: number;
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

const QUERY = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\[(\d+)ms\]$/;

export async function startStandInPrometheus(): Promise<StandInPrometheus> {
  const standIn = {
    series: [] as StandInSeries[],
    asked: [] as StandInPrometheus["asked"][number][],
    maxSamples: 50_000_000,
  };
  const loopback = await startLoopback((request) => {
    standIn.asked.push({
      query: request.query.get("query") ?? "",
      authorization: request.headers.authorization ?? null,
    });
    return answer(request, standIn.series, standIn.maxSamples);
  });
  return Object.assign(standIn, loopback);
}

function answer(
  { path, query }: LoopbackRequest,
  series: readonly StandInSeries[],
  maxSamples: number,
): LoopbackAnswer {
  const asked = QUERY.exec(query.get("query") ?? "");
  if (path !== "/api/v1/query" || asked === null) return refusal(400, "bad_data", "parse error");
  const to = Number(query.get("time")) * 1_000;
  const from = to - Number(asked[2]);
  const result = series
    .filter(({ labels }) => labels.__name__ === asked[1])
    .map(({ labels, samples }) => ({
      metric: labels,
      values: samples
        .filter(([at]) => at >= from && at <= to)
        .map(([at, value]) => [at / 1_000, value]),
    }))
    .filter(({ values }) => values.length > 0);
  const read = result.reduce((sum, { values }) => sum + values.length, 0);
  if (read > maxSamples)
    return refusal(422, "execution", "query processing would load too many samples into memory");
  return { status: 200, body: { status: "success", data: { resultType: "matrix", result } } };
}

function refusal(status: number, errorType: string, error: string): LoopbackAnswer {
  return { status, body: { status: "error", errorType, error } };
}
