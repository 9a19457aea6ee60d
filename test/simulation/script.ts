/**
 * What will happen in a simulation, and when: drawn from its seed before it begins, so that the seed alone
 * plays it again. Only the races within the real database may turn out otherwise.
 */
import { between, pick, seeded } from "./random.js";

/** Test-scale: what is 5 s in the shipped policy. */
export const LEASE_MS = 400;
export const WORKERS = 3;
export const ORCHESTRATORS = 2;
/** After the last event everything that still can be done is done. */
const STORM_MS = 1_600;
const EVENTS = 26;

/** How one attempt of a job ends, after so long. */
export interface Attempt {
  readonly ms: number;
  readonly ends: "ok" | "transient" | "data" | "partial" | "waiting";
}

export interface PlannedJob {
  readonly kind: "index" | "ingest" | "backfill" | "gc";
  /** By the number of the start, whatever became of those before; after the last one it succeeds. */
  readonly attempts: readonly Attempt[];
  /** Of several jobs of one key one waits or runs at a time. */
  readonly key: string | null;
  readonly delayMs: number;
}

/** The handbook's statements, by their numbers. */
export const OPERATORS_SQL = ["05", "06", "09", "10", "19", "20"] as const;
export type OperatorsSql = (typeof OPERATORS_SQL)[number];

export type Happening =
  | { readonly what: "enqueue"; readonly jobs: readonly PlannedJob[]; readonly twice: boolean }
  /** kill -9 of one process; noticed at once by a supervisor, or only by its lease. */
  | { readonly what: "crash"; readonly process: number; readonly noticed: boolean }
  /** SIGSTOP, and SIGCONT after a while: it goes on as if nothing had been. */
  | { readonly what: "freeze"; readonly process: number; readonly ms: number }
  | { readonly what: "stop"; readonly process: number; readonly drainMs: number }
  /** Its clock is so far from the truth from now on. */
  | { readonly what: "clock"; readonly process: number; readonly offsetMs: number }
  /** Its next statements are delivered twice, or their answers are lost after they were carried out. */
  | { readonly what: "twice" | "unanswered"; readonly process: number; readonly count: number }
  /** The server ends all sessions. */
  | { readonly what: "cut" }
  /** `job` in [0, 1): of those that there are by then. */
  | { readonly what: "operate"; readonly statement: OperatorsSql; readonly job: number };

export interface Script {
  readonly seed: number;
  /** Answers may be lost: then a process holds what it does not know of, and limits hold for handlers but not for rows. */
  readonly lossy: boolean;
  readonly events: readonly (Happening & { readonly atMs: number })[];
}

const KINDS = ["index", "index", "ingest", "backfill", "gc"] as const;
const MINUTE_MS = 60_000;

export function writeScript(seed: number): Script {
  const random = seeded(seed);
  const lossy = random() < 0.5;
  const first = { what: "enqueue", jobs: planJobs(random, 14), twice: false } as const;
  const events = Array.from({ length: EVENTS }, () => ({
    ...drawEvent(random, lossy),
    atMs: between(random, 20, STORM_MS),
  }));
  return {
    seed,
    lossy,
    events: [{ ...first, atMs: 0 }, ...events.sort((a, b) => a.atMs - b.atMs)],
  };
}

function planJobs(random: () => number, count: number): PlannedJob[] {
  return Array.from({ length: count }, () => ({
    kind: pick(random, KINDS),
    attempts: planAttempts(random),
    key: random() < 0.25 ? `key-${between(random, 1, 3)}` : null,
    delayMs: random() < 0.2 ? between(random, 50, 600) : 0,
  }));
}

function planAttempts(random: () => number): Attempt[] {
  const half = ["partial", "partial", "partial"] as const;
  const ends = ["ok", "ok", "transient", "transient", "waiting", "data", ...half] as const;
  const failing = random() < 0.45 ? between(random, 1, 2) : 0;
  return Array.from({ length: failing + 1 }, (_, n) => ({
    ms: random() < 0.35 ? between(random, 150, 700) : between(random, 1, 60),
    ends: n < failing ? pick(random, ends) : "ok",
  }));
}

function drawEvent(random: () => number, lossy: boolean): Happening {
  const worker = between(random, 0, WORKERS - 1);
  const process = between(random, 0, WORKERS + ORCHESTRATORS - 1);
  const dice = random();
  if (dice < 0.2) {
    const jobs = planJobs(random, between(random, 1, 6));
    return { what: "enqueue", jobs, twice: random() < 0.3 };
  }
  if (dice < 0.34) return { what: "crash", process, noticed: random() < 0.5 };
  if (dice < 0.46) return { what: "freeze", process, ms: between(random, LEASE_MS, 3 * LEASE_MS) };
  if (dice < 0.52) return { what: "stop", process, drainMs: between(random, 0, 100) };
  if (dice < 0.6) {
    return { what: "clock", process, offsetMs: between(random, -10, 10) * MINUTE_MS };
  }
  if (lossy && dice < 0.68) return { what: "twice", process: worker, count: between(random, 1, 4) };
  if (lossy && dice < 0.74)
    return { what: "unanswered", process: worker, count: between(random, 1, 2) };
  if (lossy && dice > 0.97) return { what: "cut" };
  return { what: "operate", statement: pick(random, OPERATORS_SQL), job: random() };
}

/** For the report of a failing seed: one line an event. */
export function tellScript({ seed, events }: Script): string {
  const lines = events.map(({ atMs, what, ...rest }) => {
    return `  ${String(atMs).padStart(5)} ms  ${what} ${JSON.stringify(rest)}`;
  });
  return [`seed ${seed}:`, ...lines].join("\n");
}
