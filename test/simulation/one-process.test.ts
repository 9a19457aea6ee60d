/**
 * Seeded simulations on the real database: crashes, pauses past the lease, statements that arrive twice or go
 * unanswered, clocks that jump, a server that ends all sessions, and operators with the handbook's SQL. All
 * workers and orchestrators live in this process, at test-scale leases; their code is the product's own.
 *
 * SIMULATION_SEEDS=200 plays so many, from SIMULATION_SEED on. SIMULATION_SEED=17 alone plays 17.
 */
import { describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Database } from "../../src/store/database.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { createTestDatabase } from "../support/database.js";
import * as handbook from "../support/handbook-sql.js";
import { until } from "../support/until.js";
import { expectPromises, watchMoves } from "./promises.js";
import {
  type Happening,
  type OperatorsSql,
  ORCHESTRATORS,
  type PlannedJob,
  type Script,
  tellScript,
  WORKERS,
  writeScript,
} from "./script.js";
import { BACKOFF_MAX_MS, LIMITS, NO_LIMITS, World } from "./world.js";

vi.mock("../../src/runtime/heartbeat.js", () => import("./gated-heartbeat.js"));
vi.setConfig({ testTimeout: 150_000, maxConcurrency: 6 });
/** Of the jobs that a storm leaves, on a machine that does a dozen other things. */
const CALM_TIMEOUT_MS = 60_000;

const first = Number(process.env.SIMULATION_SEED ?? 1);
const count = Number(process.env.SIMULATION_SEEDS ?? (process.env.SIMULATION_SEED ? 1 : 30));
const SEEDS = Array.from({ length: count }, (_, n) => first + n);

interface Stage {
  readonly db: Database;
  readonly world: World;
  /** Numbers of all jobs that somebody was told to have put in. */
  readonly told: Set<number>;
}

/** Like any client: asks again when the server was away. */
function insist<T>(ask: () => Promise<T>): Promise<T> {
  return until(
    () =>
      ask().then(
        (answer) => ({ answer }),
        () => null,
      ),
    "the server answers",
  ).then(({ answer }) => answer);
}

async function enqueue({ db, told }: Stage, jobs: readonly PlannedJob[]): Promise<void> {
  const now = systemClock.now().getTime();
  const enqueued = await insist(() =>
    enqueueJobs(
      db,
      jobs.map(({ kind, attempts, key, delayMs }) => ({
        kind,
        payload: { attempts: attempts.map((attempt) => ({ ...attempt })) },
        ...(key === null ? {} : { uniqueKey: key }),
        ...(delayMs === 0 ? {} : { scheduledAt: new Date(now + delayMs) }),
      })),
    ),
  );
  for (const { seq } of enqueued) told.add(seq);
}

const STATEMENTS: Readonly<Record<OperatorsSql, string>> = {
  "05": handbook.RESET,
  "06": handbook.RESET_FAILED,
  "09": handbook.FIX_PAYLOAD,
  "10": handbook.CANCEL,
  "19": handbook.RAISE_INGEST,
  "20": handbook.LOWER_BACKFILL,
};

/** Letter by letter but for the job's number. */
async function operate({ db, told }: Stage, statement: OperatorsSql, which: number): Promise<void> {
  const seqs = [...told];
  const seq = seqs[Math.floor(which * seqs.length)];
  await insist(() => db.query(STATEMENTS[statement].replace(/job-\d+/, `job-${seq}`)));
}

const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

async function happen(stage: Stage, event: Happening): Promise<void> {
  const { db, world } = stage;
  switch (event.what) {
    case "enqueue":
      await enqueue(stage, event.jobs);
      if (event.twice) await enqueue(stage, event.jobs);
      return;
    case "operate":
      return operate(stage, event.statement, event.job);
    case "cut":
      await insist(() => db.query(CUT));
      return;
    case "stop":
      return world.restart(event.process, event.drainMs);
    default:
      befall(world, event);
  }
}

type Fate = Extract<Happening, { process: number }>;

function befall(world: World, event: Exclude<Fate, { what: "stop" }>): void {
  const process = world.processes[event.process]!;
  const { gate } = process;
  switch (event.what) {
    case "crash":
      process.noticed &&= event.noticed;
      gate.kill();
      return;
    case "freeze":
      gate.freeze();
      void systemClock.sleep(event.ms).then(() => gate.thaw());
      return;
    case "clock":
      gate.offsetMs = event.offsetMs;
      return;
    default:
      gate[event.what] += event.count;
  }
}

/** The script says when things happen. */
function comes(atMs: number): Promise<void> {
  return systemClock.sleep(atMs - performance.now());
}

async function storm(stage: Stage, script: Script): Promise<void> {
  const startedMs = performance.now();
  const acts: Promise<void>[] = [];
  for (const event of script.events) {
    await comes(startedMs + event.atMs);
    acts.push(happen(stage, event));
  }
  await Promise.all(acts);
}

/** No retry lies further away than the longest backoff: by the clock of the database, whatever a process's own said. */
async function calm({ db, world }: Stage): Promise<void> {
  await world.restartAll();
  const { rows: far } = await db.query<{ id: string }>(
    "SELECT id FROM jobs WHERE status = 'pending' AND scheduled_at > now() + $1 * interval '1 ms'",
    [2_000 + BACKOFF_MAX_MS],
  );
  expect(far, "retries beyond the longest backoff").toEqual([]);
  let open: OpenJob[] = [];
  const everyJobIsFinal = async () => {
    open = await openJobs(db);
    const ownerless = open.filter((row) => row.status === "running" && row.worker_id === null);
    expect(ownerless, "running without an owner").toEqual([]);
    return open.length === 0;
  };
  await until(everyJobIsFinal, "every job is final", CALM_TIMEOUT_MS).catch((error: Error) => {
    throw new Error(`${error.message}; open: ${JSON.stringify(open)}`, { cause: error });
  });
}

interface OpenJob {
  readonly id: string;
  readonly status: string;
  readonly worker_id: string | null;
}

async function openJobs(db: Database): Promise<OpenJob[]> {
  const { rows } = await db.query<OpenJob>(
    `SELECT id, status, worker_id, attempts, scheduled_at, error,
       (SELECT row_to_json(w) FROM workers w WHERE w.id = jobs.worker_id) AS worker, now() AS now
     FROM jobs WHERE status IN ('pending', 'running')`,
  );
  return rows;
}

async function play(script: Script): Promise<void> {
  const { db, drop } = await createTestDatabase();
  await watchMoves(db);
  const stage: Stage = { db, world: new World(db, script.seed), told: new Set() };
  try {
    for (let place = 0; place < WORKERS + ORCHESTRATORS; place++) stage.world.start(place);
    await storm(stage, script);
    await calm(stage);
    await stage.world.end();
    await expectPromises(db, stage.told, stage.world, script.lossy ? NO_LIMITS : LIMITS);
  } finally {
    await stage.world.end();
    await drop();
  }
}

describe("a simulated installation loses nothing and does nothing twice", () => {
  it.concurrent.each(SEEDS)("seed %i", async (seed) => {
    const script = writeScript(seed);
    try {
      await play(script);
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\n\n${tellScript(script)}\nplay it again: SIMULATION_SEED=${seed} npx vitest run test/simulation/one-process.test.ts`,
        { cause: error },
      );
    }
  });
});
