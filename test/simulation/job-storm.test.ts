/**
 * A storm of workers on the real database: they claim, finish, give back, freeze, come back late and die, while an
 * operator resets and cancels with plain SQL, all at once and in an order drawn from a seed. Whatever
 * happens, the promises hold after every gust, and at the end nothing is lost.
 */
import { describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { HeldJob } from "../../src/job/job.js";
import { recoverWorker } from "../../src/runtime/recover.js";
import type { Database } from "../../src/store/database.js";
import {
  claimJobs,
  completeJob,
  failJob,
  releaseJob,
  rescheduleJob,
} from "../../src/store/job-claims.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { registerWorker } from "../../src/store/workers.js";
import { makePolicy } from "../runtime/support/policy.js";
import { withDatabase } from "../support/database.js";

vi.setConfig({ testTimeout: 120_000 });

const SEEDS = [1, 2, 3];
const GUSTS = 60;
/** Acts at once in a gust. */
const ACTS = 5;
const JOBS = 60;
const WORKERS = 4;
const CAP = 8;
/** Of kind `gc`; of `index` only the cap holds. */
const GLOBAL_MAX = 1;

interface VirtualWorker {
  id: string;
  /** What it believes to hold. */
  held: HeldJob[];
}

interface Storm {
  readonly db: Database;
  readonly random: () => number;
  readonly workers: VirtualWorker[];
  /** Numbers of the jobs that somebody was told to have completed. */
  readonly completed: number[];
  /** Settles that were refused. */
  refused: number;
}

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

async function newWorker(db: Database): Promise<VirtualWorker> {
  const kinds = ["index", "gc"];
  const { id } = await registerWorker(db, { lane: "general", kinds, hostname: "storm", pid: 1 });
  return { id, held: [] };
}

async function claim({ db }: Storm, worker: VirtualWorker): Promise<void> {
  const kinds = [
    { kind: "index", free: 3, globalMax: null },
    { kind: "gc", free: 3, globalMax: GLOBAL_MAX },
  ];
  const claimed = await claimJobs(db, {
    ...{ workerId: worker.id, kinds, max: 3, globalCap: CAP, safeModeKinds: [] },
  });
  worker.held.push(...claimed);
}

/** Of the job it has held longest: also one that it has lost without knowing. */
async function settle(storm: Storm, worker: VirtualWorker): Promise<void> {
  const { db, random, completed } = storm;
  const job = worker.held.shift();
  if (!job) return;
  const at = systemClock.now();
  const how = random();
  const isMine =
    how < 0.6
      ? await completeJob(db, job, { by: worker.id })
      : how < 0.75
        ? await rescheduleJob(db, job, { at, error: "LATER: again", burnAttempt: true })
        : how < 0.9
          ? await releaseJob(db, job)
          : await failJob(db, job, { status: "quarantined", error: "BAD: data" });
  if (!isMine) storm.refused += 1;
  else if (how < 0.6) completed.push(job.seq);
}

/** It dies, another takes its place; but its last words may still be on their way. */
async function kill(storm: Storm, worker: VirtualWorker): Promise<void> {
  const { db, random } = storm;
  await recoverWorker(worker.id, {
    ...{ db, clock: systemClock, log: silentLogger, random, emit: () => {} },
    ...{ policy: () => makePolicy({ healing: { crashMax: 1_000 } }), notify: async () => {} },
  });
  const ghost = { ...worker };
  Object.assign(worker, await newWorker(db));
  while (ghost.held.length > 0) await settle(storm, ghost);
}

const BY_HAND = [
  "UPDATE jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = $1",
  "UPDATE jobs SET status = 'cancelled' WHERE id = $1",
  "UPDATE jobs SET status = 'failed', error = 'by hand', completed_at = now() WHERE id = $1",
];

async function operate({ db, random }: Storm): Promise<void> {
  // A job that was completed stays so: whoever resets it wants it done again, and that is no loss to find.
  const { rows } = await db.query<{ id: string }>(
    "SELECT id FROM jobs WHERE status <> 'completed'",
  );
  if (rows.length === 0) return;
  const sql = `${pick(random, BY_HAND)} AND status <> 'completed'`;
  await db.query(sql, [pick(random, rows).id]);
}

/** Workers do one thing at a time; the operator is one of them. */
async function gust(storm: Storm): Promise<void> {
  const { random, workers } = storm;
  const idle = [...workers];
  const acts = Array.from({ length: ACTS }, () => {
    const what = random();
    const [worker] = idle.splice(Math.floor(random() * idle.length), 1);
    if (worker === undefined || what < 0.15) return operate(storm);
    if (what < 0.5) return claim(storm, worker);
    if (what < 0.92) return settle(storm, worker);
    return kill(storm, worker);
  });
  await Promise.all(acts);
}

interface Row {
  readonly seq: number;
  readonly job_type: string;
  readonly status: string;
  readonly worker_id: string | null;
  readonly fence: number;
}

async function expectPromises({ db, workers, completed, refused }: Storm): Promise<void> {
  const { rows } = await db.query<Row>("SELECT seq, job_type, status, worker_id, fence FROM jobs");
  const running = rows.filter(({ status }) => status === "running");
  expect(running.length, "running at once").toBeLessThanOrEqual(CAP);
  expect(running.filter((row) => row.job_type === "gc").length).toBeLessThanOrEqual(GLOBAL_MAX);
  for (const { seq, fence, worker_id } of running) {
    const holders = workers.filter((worker) =>
      worker.held.some((job) => job.seq === seq && job.fence === fence),
    );
    expect(
      holders.map(({ id }) => id),
      `holders of job-${seq}`,
    ).toEqual([worker_id]);
  }
  const done = rows.filter(({ status }) => status === "completed").map(({ seq }) => seq);
  expect(
    [...completed].sort((a, b) => a - b),
    "completed once each",
  ).toEqual(done.sort((a, b) => a - b));
  const { rows: late } = await db.query<{ count: number }>(
    "SELECT coalesce(sum(count), 0)::int AS count FROM control.late_settle",
  );
  expect(late[0]!.count, "late finishes are counted").toBe(refused);
}

/** The storm is over: what can still be done is done. */
async function calm(storm: Storm): Promise<void> {
  const { db, workers, completed } = storm;
  await db.query("UPDATE jobs SET status = 'pending' WHERE status NOT IN ('completed', 'running')");
  for (let idle = 0; idle < WORKERS; ) {
    idle = 0;
    for (const worker of workers) {
      await claim(storm, worker);
      if (worker.held.length === 0) idle += 1;
      for (const job of worker.held.splice(0)) {
        if (await completeJob(db, job, null)) completed.push(job.seq);
        else storm.refused += 1;
      }
    }
  }
}

describe("a storm of workers, deaths and plain SQL", () => {
  it.each(SEEDS)("loses nothing and breaks no limit (seed %i)", (seed) =>
    withDatabase(async (db) => {
      const kinds = ["index", "index", "gc"];
      await enqueueJobs(
        db,
        Array.from({ length: JOBS }, (_, n) => ({ kind: kinds[n % 3]!, payload: {} })),
      );
      const workers: VirtualWorker[] = [];
      for (let n = 0; n < WORKERS; n++) workers.push(await newWorker(db));
      const storm: Storm = { db, random: seeded(seed), workers, completed: [], refused: 0 };
      for (let n = 0; n < GUSTS; n++) {
        await gust(storm);
        await expectPromises(storm);
      }
      await calm(storm);
      await expectPromises(storm);
      expect(storm.completed).toHaveLength(JOBS);
      expect(storm.refused, "the storm was one").toBeGreaterThan(0);
    }),
  );
});
