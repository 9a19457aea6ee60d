/** What the samples say of jobs that ended, from the counts of all processes: failures, and how long the slowest ran. */
import { describe, expect, it } from "vitest";
import {
  DURATION_BOUNDS_S,
  JobTally,
  quantileS,
  renderTally,
} from "../../src/runtime/job-tally.js";
import { tallySource } from "../../src/runtime/sample/tally.js";
import type { Database } from "../../src/store/database.js";
import { readTally } from "../../src/store/job-tally.js";
import { withDatabase } from "../support/database.js";

const START = Date.UTC(2026, 0, 28, 12);
const job = { job_id: "job-1", job_type: "index", worker_id: "index-worker-1", attempt: 1 };
const WHY = { reason: "no-attempts-left", error: "no" };

/** So many jobs of each of these run times, by one process. */
async function run(db: Database, seconds: readonly number[], times = 1): Promise<void> {
  const tally = new JobTally(db);
  for (const s of seconds) {
    for (let i = 0; i < times; i++)
      tally.observe({ event: "job.completed", duration_ms: s * 1_000, ...job });
  }
  await tally.flush();
}

const countsOf = (seconds: readonly number[]) => ({
  count: seconds.length,
  buckets: DURATION_BOUNDS_S.map((bound) => seconds.filter((s) => s <= bound).length),
});
const NONE = { count: 0, buckets: [] };

describe("the time within which 95 of 100 jobs ran", () => {
  const ran = (most: number, some: number) => [
    ...Array.from({ length: 95 }, () => most),
    ...Array.from({ length: 5 }, () => some),
  ];

  it.each([
    ["all within 70 s", ran(70, 70), 68],
    ["95 of 100 within 90 s", ran(90, 500), 90],
    ["all of them beyond the last bound", ran(900, 900), 600],
    ["all at once", ran(0, 0), 0.0095],
  ])("is read from buckets: %s", (_what, seconds, expected) => {
    expect(quantileS(0.95, NONE, countsOf(seconds))).toBeCloseTo(expected, 6);
  });

  it("lies between the bounds that tell 70 s and 90 s apart (AL-met-02)", () => {
    const tooLong = countsOf(ran(91, 91));
    const warned = countsOf(ran(71, 71));
    expect(quantileS(0.95, NONE, tooLong)).toBeGreaterThan(90);
    expect(quantileS(0.95, NONE, warned)).toBeGreaterThan(70);
    expect(quantileS(0.95, NONE, warned)).toBeLessThan(90);
  });

  it("is of what was added between two looks, and of nothing there is none", () => {
    const before = countsOf(ran(400, 400));
    const after = {
      count: before.count + 20,
      buckets: before.buckets.map((n, i) => n + (20 <= DURATION_BOUNDS_S[i]! ? 20 : 0)),
    };
    expect(quantileS(0.95, before, after)).toBeLessThan(30);
    expect(quantileS(0.95, before, before)).toBeNull();
  });
});

describe("samples of the tally", () => {
  it("count failures and ends of each kind, zeros as well, and no attempt that goes on", () =>
    withDatabase(async (db) => {
      const tally = new JobTally(db);
      tally.observe({ event: "job.completed", duration_ms: 5, ...job });
      tally.observe({ event: "job.failed", ...job, ...WHY });
      tally.observe({ event: "job.quarantined", ...job, ...WHY });
      tally.observe({ event: "job.released", ...job });
      await tally.flush();
      const samples = await tallySource(db).collect(new Date(START));
      const of = (metric: string, kind: string) =>
        samples.find((one) => one.metric === metric && one.labels.worker_type === kind)?.value;
      expect(of("algobrain.jobs.failed_total", "index")).toBe(2);
      expect(of("algobrain.jobs.ended_total", "index")).toBe(3);
      expect(of("algobrain.jobs.ended_total", "gc")).toBe(0);
      expect(of("algobrain.jobs.run_p95_ms", "index")).toBeUndefined();
    }));

  it("give a kind's p95 over five minutes, from 20 jobs on, and forget the minutes before", () =>
    withDatabase(async (db) => {
      await run(db, [300], 50);
      const source = tallySource(db);
      const p95At = async (minute: number) => {
        const samples = await source.collect(new Date(START + minute * 60_000));
        return samples.find(({ metric }) => metric === "algobrain.jobs.run_p95_ms")?.value;
      };
      expect(await p95At(0)).toBeUndefined();
      await run(db, [80], 19);
      expect(await p95At(1)).toBeUndefined();
      await run(db, [80], 1);
      const first = await p95At(2);
      expect(first).toBeGreaterThan(70_000);
      expect(first).toBeLessThanOrEqual(90_000);
      await run(db, [0.4], 30);
      expect(await p95At(7)).toBeLessThan(500);
      expect(await p95At(13)).toBeUndefined();
    }));
});

describe("a row of an older version, which knew eight bounds", () => {
  const old = [1, 2, 3, 4, 5, 6, 7, 8];

  it("goes on with ten, and none of them falls behind a smaller one", () =>
    withDatabase(async (db) => {
      await db.query(
        "INSERT INTO control.job_tally (job_type, outcome, count, seconds, buckets) VALUES ('index', 'completed', 8, 800, $1)",
        [old],
      );
      await run(db, [80]);
      // 80 s: not within 30 s nor 70 s, but within 90 s. Of the old ones six were within 30 s.
      expect((await readTally(db))[0]?.buckets).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 6, 7]);
    }));

  it("and an older process that adds to a row of ten does not make the histogram fall", () => {
    const mixed = { jobType: "index", outcome: "completed", count: 9, seconds: 1 };
    const text = renderTally([{ ...mixed, buckets: [0, 0, 0, 0, 0, 9, 9, 9, 6, 6] }]);
    const counts = [...text.matchAll(/le="([\d.]+)"} (\d+)/g)].map(([, bound, n]) => [
      Number(bound),
      Number(n),
    ]);
    expect(counts.slice(-5)).toEqual([
      [30, 9],
      [70, 9],
      [90, 9],
      [120, 9],
      [600, 9],
    ]);
  });
});
