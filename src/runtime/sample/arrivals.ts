/**
 * What came in and what was begun, by kind: with ends, depths and live workers all that a simulation of scaling needs.
 * Arrivals are a minute old, so that a transaction which commits late is in.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { PUBLIC_KINDS } from "../../job/kinds.js";
import type { Sql } from "../../store/database.js";
import { countArrivals, readArrivals } from "../../store/job-arrivals.js";
import { readTally } from "../../store/job-tally.js";
import { STARTED } from "../job-tally.js";
import { gauge, type SampleSource } from "./source.js";

export function arrivalsSource(sql: Sql): SampleSource {
  let countedMs = Number.NEGATIVE_INFINITY;
  return {
    name: "arrivals",
    collect: async (now) => {
      if (now.getTime() - countedMs >= MINUTE_MS) {
        await countArrivals(sql, PUBLIC_KINDS);
        countedMs = now.getTime();
      }
      const [arrivals, tallies] = await Promise.all([readArrivals(sql), readTally(sql)]);
      const arrived = new Map(arrivals.map(({ kind, count }) => [kind, count]));
      const begun = tallies.filter(({ outcome }) => outcome === STARTED);
      const started = new Map(begun.map(({ jobType, count }) => [jobType, count]));
      // Zeros as well: a counter that first appears with its first job would not show that one.
      return PUBLIC_KINDS.flatMap((worker_type) => [
        ...gauge("algobrain.jobs.arrived_total", arrived.get(worker_type) ?? 0, now, {
          worker_type,
        }),
        ...gauge("algobrain.jobs.started_total", started.get(worker_type) ?? 0, now, {
          worker_type,
        }),
      ]);
    },
  };
}
