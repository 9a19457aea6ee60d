/** A bar that is called met must be met: the judge of the benchmark, on figures made up here. */
import { expect, test } from "vitest";
import { barTable, judge, type Part, type RawLimit, type Row } from "../../bench/queue/bars.mjs";

const NOTHING: Record<Part, readonly Row[]> = {
  ...{ peers: [], depth: [], xmin: [], direct: [] },
  ...{ pooled: [], uncapped: [], capped: [], crash: [] },
};

const drains = (peer: string, mode: string, ...rates: number[]): Row[] =>
  rates.map((rate, i) => ({
    ...{ kind: "drain", peer, mode, run: i + 1, rate },
    ...{ n: 10, handlerCalls: 10, pending: 0, capped: false },
  }));

const limit = (rate: number): RawLimit[] => [
  { table: "bare, key by number", rate: rate * 2 },
  { table: "conforming (public.jobs)", rate: rate / 2 },
  { table: "conforming (public.jobs)", rate },
];

function judged(rows: Partial<typeof NOTHING>, bar: RegExp, rawLimit?: readonly RawLimit[]) {
  const found = judge({ rows: { ...NOTHING, ...rows }, rawLimit }).filter((one) =>
    bar.test(one.bar),
  );
  expect(found).toHaveLength(1);
  return found[0]!;
}

test("the drain is held against the lower of two bars, by the best peer that keeps its history", () => {
  const peers = [
    ...drains("pgboss-12", "best", 10_000, 20_000, 30_000),
    ...drains("bullmq-pg", "best", 1_000),
    // These two do not keep their finished jobs.
    ...drains("graphile-018", "best", 90_000),
    ...drains("bullmq-redis", "best", 90_000),
  ];
  const bar = /history-keeping/;
  const at = (rate: number, raw: number) =>
    judged({ peers: [...peers, ...drains("ours", "best", rate)] }, bar, limit(raw)).met;
  expect(at(30_000, 100_000)).toBe(true);
  expect(at(29_000, 100_000)).toBe(false);
  expect(at(18_000, 30_000)).toBe(true);
  expect(at(17_000, 30_000)).toBe(false);
});

test("the middle of the rounds counts, and the faster graphile-worker", () => {
  const peers = [
    ...drains("ours", "c10", 100, 4_000, 90_000),
    ...drains("graphile-017", "c10", 1_000),
    ...drains("graphile-018", "c10", 2_100),
  ];
  expect(judged({ peers }, /concurrency 10/)).toMatchObject({
    met: false,
    figure: "4,000 jobs/s: 1.90 × graphile-018 (2,100)",
  });
});

test("less latency is better", () => {
  const latency = (peer: string, p99: number): Row => ({
    ...{ kind: "latency", peer, mode: "latency-default", p50: 1, p99 },
  });
  const at = (p99: number) =>
    judged({ peers: [latency("ours", p99), latency("graphile-018", 8)] }, /latency p99/).met;
  expect([at(7), at(8), at(9)]).toEqual([true, true, false]);
});

test("a job that never started again after the kill meets no bar", () => {
  const crash = (seconds: number | null): Row => ({
    ...{ kind: "crash", peer: "ours", mode: "default", seconds },
  });
  expect(judged({ crash: [crash(1.2), crash(4.9)] }, /kill -9/).met).toBe(true);
  expect(judged({ crash: [crash(1.2), crash(5.1)] }, /kill -9/).met).toBe(false);
  expect(judged({ crash: [crash(1.2), crash(null)] }, /kill -9/).met).toBe(false);
});

test("a drain that left a job behind, or handled one twice, is said", () => {
  const [right] = drains("ours", "best", 1_000) as [Row];
  const bar = /correct/;
  expect(judged({ depth: [right] }, bar).met).toBe(true);
  expect(judged({ depth: [right, { ...right, pending: 1 }] }, bar).figure).toBe("1 of 2");
  expect(judged({ depth: [right, { ...right, handlerCalls: 11 }] }, bar).met).toBe(false);
  const failed: Row = { kind: "latency", peer: "ours", error: "it broke" };
  expect(judged({ depth: [right, failed] }, bar).met).toBe(false);
  // Stopped at its cap: it was not to finish.
  expect(judged({ depth: [right, { ...right, pending: 1, capped: true }] }, bar).met).toBe(true);
});

test("what failed or was not measured is never called met", () => {
  const peers: Row[] = [
    ...drains("ours", "best", 1_000),
    { kind: "drain", peer: "graphile-018", mode: "best", error: "it broke", rate: 1 },
  ];
  const one = judged({ peers }, /1.0 × graphile-worker 0.18/);
  expect(one.met).toBeNull();
  expect(barTable([one])).toContain("not measured");
});
