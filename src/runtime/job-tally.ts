/**
 * Counts how attempts end in this process and adds that, every few seconds, to what all processes have
 * counted: handlers run in processes that no scraper reaches.
 */
import type { Sql } from "../store/database.js";
import { addToTally, type TalliedJobs } from "../store/job-tally.js";
import type { RuntimeEvent } from "./events.js";
import { runOnce, runTicks, type Tick, type TickerDeps } from "./ticker.js";

/** Upper bounds in seconds. Counts are stored by place, so a new bound stands at the end wherever it lies. */
export const DURATION_BOUNDS_S = [0.01, 0.1, 0.5, 1, 5, 30, 120, 600, 70, 90] as const;
/** So many were there from the beginning: what an older version has counted ends with them. */
const FIRST_BOUNDS = 8;

/** Places of the bounds, least bound first. */
const ASCENDING = DURATION_BOUNDS_S.map((_, place) => place).sort(
  (a, b) => DURATION_BOUNDS_S[a]! - DURATION_BOUNDS_S[b]!,
);

/** For each place that of the greatest first bound that is not above it: so many at least were as quick. */
const FLOORS = DURATION_BOUNDS_S.map((bound) =>
  Math.max(
    ...DURATION_BOUNDS_S.slice(0, FIRST_BOUNDS).map((first, i) => (first <= bound ? i : -1)),
  ),
);
const FLUSH_MS = 5_000;

/** Stands among the outcomes, and is none: how many attempts began. */
export const STARTED = "started";

/** How an attempt ended, or that it began, by the event that says so. */
const OUTCOMES: Readonly<Partial<Record<RuntimeEvent["event"], string>>> = {
  "job.claimed": STARTED,
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
      await addToTally(this.#db, taken, FLOORS);
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
  const ended = tallies.filter(({ outcome }) => outcome !== STARTED);
  const settles = ended.map(
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
    ...cumulative(buckets).map(
      ({ boundS, count: upTo }) => `${name}_bucket{${type},le="${boundS}"} ${upTo}`,
    ),
    `${name}_bucket{${type},le="+Inf"} ${count}`,
    `${name}_sum{${type}} ${seconds}`,
    `${name}_count{${type}} ${count}`,
  ];
}

export interface UpTo {
  readonly boundS: number;
  /** How many took at most so long. */
  readonly count: number;
}

/** Least bound first, never falling: a process of an older version does not count the later bounds. */
export function cumulative(buckets: readonly number[]): UpTo[] {
  let least = 0;
  return ASCENDING.map((place) => {
    least = Math.max(least, upTo(buckets, place));
    return { boundS: DURATION_BOUNDS_S[place]!, count: least };
  });
}

function upTo(buckets: readonly number[], place: number): number {
  return buckets[place] ?? buckets[FLOORS[place]!] ?? 0;
}

/**
 * The time within which this share of the jobs between two tallies of one kind ran, in seconds; null without
 * any. Inside a bucket times are taken as spread evenly; beyond the last bound it is that bound.
 */
export function quantileS(
  share: number,
  before: Pick<TalliedJobs, "count" | "buckets">,
  after: Pick<TalliedJobs, "count" | "buckets">,
): number | null {
  const rank = share * (after.count - before.count);
  if (rank <= 0) return null;
  const grown = DURATION_BOUNDS_S.map(
    (_, place) => upTo(after.buckets, place) - upTo(before.buckets, place),
  );
  let lower: UpTo = { boundS: 0, count: 0 };
  for (const bucket of cumulative(grown)) {
    if (bucket.count >= rank) {
      const inside = (rank - lower.count) / (bucket.count - lower.count);
      return lower.boundS + inside * (bucket.boundS - lower.boundS);
    }
    lower = bucket;
  }
  return lower.boundS;
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

/** Backslash, quote and line break are escaped as JSON escapes them. */
function quoted(label: string): string {
  return JSON.stringify(label);
}
