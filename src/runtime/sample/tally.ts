/**
 * What all processes have counted of jobs that ended: how many failed (BQ-alr-06, LB-alr-02), and how long the
 * slowest ran (AL-met-02). Run times are of buckets that grew in between, so the processes' counts add up; an
 * average of their percentiles would be none.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { PUBLIC_KINDS } from "../../job/kinds.js";
import type { Sql } from "../../store/database.js";
import { readTally, type TalliedJobs } from "../../store/job-tally.js";
import type { Sample } from "../../store/samples.js";
import { cumulative, quantileS } from "../job-tally.js";
import { gauge, type SampleSource } from "./source.js";

const WINDOW_MS = 5 * MINUTE_MS;
/** Of fewer the slowest 5 of 100 are the slowest one, which may be none of the usual. */
const RUNS_MIN = 20;
const FAILURES: readonly string[] = ["failed", "quarantined"];
const NONE = { count: 0, buckets: [] };

type Runs = Pick<TalliedJobs, "count" | "buckets">;

interface Seen {
  readonly atMs: number;
  /** Of completed jobs, by kind. */
  readonly runs: ReadonlyMap<string, Runs>;
}

export function tallySource(sql: Sql): SampleSource {
  let history: Seen[] = [];
  return {
    name: "tally",
    collect: async (now) => {
      const tallies = await readTally(sql);
      const completed = tallies.filter(({ outcome }) => outcome === "completed");
      const seen = {
        atMs: now.getTime(),
        runs: new Map(completed.map((tally) => [tally.jobType, tally])),
      };
      history = [...history.filter(({ atMs }) => atMs >= seen.atMs - WINDOW_MS), seen];
      return PUBLIC_KINDS.flatMap((kind) => [
        ...endedSamples(kind, tallies, now),
        ...durationSamples(kind, seen.runs.get(kind) ?? NONE, now),
        ...gauge("algobrain.jobs.run_p95_ms", p95Ms(kind, history[0]!, seen), now, {
          worker_type: kind,
        }),
      ]);
    },
  };
}

/** Zeros as well: a counter that first appears with its first failure would not show that one. */
function endedSamples(kind: string, tallies: readonly TalliedJobs[], now: Date): Sample[] {
  const labels = { worker_type: kind };
  const ofKind = tallies.filter(({ jobType }) => jobType === kind);
  const failed = sum(ofKind.filter(({ outcome }) => FAILURES.includes(outcome)));
  const completed = sum(ofKind.filter(({ outcome }) => outcome === "completed"));
  return [
    ...gauge("algobrain.jobs.failed_total", failed, now, labels),
    ...gauge("algobrain.jobs.ended_total", completed + failed, now, labels),
  ];
}

/** Zeros as well, for the same reason. */
function durationSamples(kind: string, { count, buckets }: Runs, now: Date): Sample[] {
  const bounded = cumulative(buckets).map(({ boundS, count }) => ({
    le: `${boundS * 1_000}`,
    count,
  }));
  return [...bounded, { le: "+Inf", count }].flatMap(({ le, count }) =>
    gauge("algobrain.jobs.run_duration", count, now, { worker_type: kind, le }),
  );
}

function sum(tallies: readonly TalliedJobs[]): number {
  return tallies.reduce((total, { count }) => total + count, 0);
}

function p95Ms(kind: string, from: Seen, to: Seen): number | null {
  const before = from.runs.get(kind) ?? NONE;
  const after = to.runs.get(kind) ?? NONE;
  if (after.count - before.count < RUNS_MIN) return null;
  const seconds = quantileS(0.95, before, after);
  return seconds === null ? null : seconds * 1_000;
}
