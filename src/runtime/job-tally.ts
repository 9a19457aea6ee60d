/**
 * Counts how attempts end in this process and adds that, every few seconds, to what all processes have
 * counted: handlers run in processes that no scraper reaches.
 */
import type { Sql } from "../store/database.js";
import { addToTally, type TalliedJobs } from "../store/job-tally.js";
import type { RuntimeEvent } from "./events.js";
import { runOnce, runTicks, type Tick, type TickerDeps } from "./ticker.js";

/** Upper bounds in seconds. A new list begins new numbers: old counts keep their places. */
export const DURATION_BOUNDS_S = [0.01, 0.1, 0.5, 1, 5, 30, 120, 600] as const;
const FLUSH_MS = 5_000;

/** How an attempt ended, by the event that says so. */
const OUTCOMES: Readonly<Partial<Record<RuntimeEvent["event"], string>>> = {
  "job.completed": "completed",
  "job.failed": "failed",
  "job.quarantined": "quarantined",
  "job.rescheduled": "rescheduled",
  "job.released": "released",
  "job.lost": "lost",
};

interface Counted {
  readonly jobType: string;
  readonly outcome: string;
  count: number;
  seconds: number;
  readonly buckets: number[];
}

export class JobTally {
  readonly #db: Sql;
  #counted = new Map<string, Counted>();

  constructor(db: Sql) {
    this.#db = db;
  }

  /** A listener for `createEmit`. */
  readonly observe = (happened: RuntimeEvent): void => {
    const outcome = OUTCOMES[happened.event];
    if (outcome === undefined || !("job_type" in happened)) return;
    const counted = this.#countedOf(happened.job_type, outcome);
    counted.count++;
    if (happened.event !== "job.completed") return;
    const seconds = happened.duration_ms / 1_000;
    counted.seconds += seconds;
    // Of every job: no iterator is made for it.
    for (let i = 0; i < DURATION_BOUNDS_S.length; i++) {
      counted.buckets[i] = (counted.buckets[i] ?? 0) + (seconds <= DURATION_BOUNDS_S[i]! ? 1 : 0);
    }
  };

  /** Rejects when it could not be added; then it is counted with the next. */
  async flush(): Promise<void> {
    const taken = [...this.#counted.values()];
    this.#counted = new Map();
    try {
      await addToTally(this.#db, taken);
    } catch (error) {
      for (const { jobType, outcome, count, seconds, buckets } of taken) {
        const counted = this.#countedOf(jobType, outcome);
        counted.count += count;
        counted.seconds += seconds;
        for (const [i, n] of buckets.entries()) counted.buckets[i] = (counted.buckets[i] ?? 0) + n;
      }
      throw error;
    }
  }

  /** Until the returned function is called, which adds what is left. */
  run(deps: TickerDeps): () => Promise<void> {
    const tick: Tick = { name: "add-job-tally", everyMs: FLUSH_MS, run: () => this.flush() };
    const stopping = new AbortController();
    const running = runTicks([tick], deps, stopping.signal);
    return async () => {
      stopping.abort();
      await running;
      // A failure is told as that of any tick: nobody ends worse for a count.
      await runOnce(tick, deps, new AbortController().signal);
    };
  }

  #countedOf(jobType: string, outcome: string): Counted {
    const key = `${outcome} ${jobType}`;
    const known = this.#counted.get(key);
    if (known !== undefined) return known;
    const made: Counted = { jobType, outcome, count: 0, seconds: 0, buckets: [] };
    this.#counted.set(key, made);
    return made;
  }
}

/** In the words of a scraper. */
export function renderTally(tallies: readonly TalliedJobs[]): string {
  const settles = tallies.map(
    ({ jobType, outcome, count }) =>
      `algobrain_job_settles_total{job_type=${quoted(jobType)},outcome=${quoted(outcome)}} ${count}`,
  );
  const durations = tallies.filter(({ buckets }) => buckets.length > 0).flatMap(renderDurations);
  return [
    ...head("algobrain_job_settles_total", "counter", "How attempts ended, in all processes."),
    ...settles,
    ...head(
      "algobrain_job_duration_seconds",
      "histogram",
      "Run time of completed jobs, in all processes.",
    ),
    ...durations,
    "",
  ].join("\n");
}

function renderDurations({ jobType, count, seconds, buckets }: TalliedJobs): string[] {
  const name = "algobrain_job_duration_seconds";
  const type = `job_type=${quoted(jobType)}`;
  return [
    ...DURATION_BOUNDS_S.map(
      (bound, i) => `${name}_bucket{${type},le="${bound}"} ${buckets[i] ?? 0}`,
    ),
    `${name}_bucket{${type},le="+Inf"} ${count}`,
    `${name}_sum{${type}} ${seconds}`,
    `${name}_count{${type}} ${count}`,
  ];
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

/** Backslash, quote and line break are escaped as JSON escapes them. */
function quoted(label: string): string {
  return JSON.stringify(label);
}
