import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { listWorkers } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { makePolicy } from "./support/policy.js";
import {
  type TestKind,
  type TestWorker,
  type TestWorkerWishes,
  withWorker,
} from "./support/worker.js";

function withRunning(
  wishes: TestWorkerWishes,
  test: (worker: TestWorker, db: Database, url: string) => Promise<void>,
): Promise<void> {
  return withDatabase((db, url) =>
    withWorker({ db, url }, wishes, (worker) => test(worker, db, url)),
  );
}

/** Runs until it is let go, and knows how many ran at once. */
function gate(kind: string) {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const seen = { now: 0, most: 0 };
  const handler: TestKind = {
    kind,
    run: async ({ signal }) => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      await Promise.race([opened, new Promise((_, no) => signal.addEventListener("abort", no))]);
      seen.now -= 1;
      return null;
    },
  };
  return { handler, open: () => open(), seen };
}

const jobs = (kind: string, count: number) =>
  Array.from({ length: count }, () => ({ kind, payload: {} }));

async function countOf(db: Database, status: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*) AS count FROM jobs WHERE status = $1",
    [status],
  );
  return rows[0]!.count;
}

const BEAT_EVERY_MS = 2_000;
/** One beat falls into it, also when it comes as late as the next one. */
const BUSY_MS = 2 * BEAT_EVERY_MS + 500;

/** From now on each beat leaves a row. */
async function watchBeats(db: Database): Promise<void> {
  await db.query(
    `CREATE TABLE seen_beat (at timestamptz);
     CREATE FUNCTION note_beat() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO seen_beat VALUES (clock_timestamp());
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_beat AFTER UPDATE OF last_heartbeat ON workers FOR EACH ROW EXECUTE FUNCTION note_beat()`,
  );
}

describe("a worker", () => {
  it("registers as one row a process and says so when it stops (HB-db-13)", async () => {
    await withRunning({ handlers: [gate("index").handler] }, async ({ worker, id }, db) => {
      expect(id).toMatch(/^general-worker-\d+$/);
      expect(await listWorkers(db)).toMatchObject([
        { id, status: "alive", kinds: ["index"], pid: process.pid },
      ]);
      await worker.stop();
      expect(await listWorkers(db)).toMatchObject([{ id, status: "stopped" }]);
    });
  });

  it("never runs more of a kind at once than its policy says (HB-env-12)", async () => {
    const { handler, open, seen } = gate("index");
    const wishes = { handlers: [handler], kinds: [{ kind: "index", concurrency: 2 }] };
    await withRunning(wishes, async (_worker, db) => {
      await enqueueJobs(db, jobs("index", 7));
      await until(async () => (await countOf(db, "running")) === 2, "two jobs run");
      open();
      await until(async () => (await countOf(db, "completed")) === 7, "all are completed");
      expect(seen.most).toBe(2);
    });
  });

  it("leaves a disabled kind pending until the policy enables it (HB-wrk-15)", async () => {
    let enabled = false;
    const index: TestKind = { kind: "index", run: async () => null };
    const score: TestKind = { kind: "score", run: async () => null };
    const policy = () => makePolicy({ kinds: [{ kind: "index", enabled }] });
    await withRunning({ handlers: [index, score], policy }, async (worker, db) => {
      const waits = await enqueueJob(db, { kind: "index", payload: {} });
      const runs = await enqueueJob(db, { kind: "score", payload: {} });
      await worker.seen("job.completed", runs.id);
      expect(await readJob(db, waits.seq)).toMatchObject({ status: "pending" });
      enabled = true;
      await worker.seen("job.completed", waits.id);
    });
  });

  it("runs a job that was inserted by plain SQL with two values (HB-sql-12)", async () => {
    const index: TestKind = { kind: "index", run: async ({ job }) => job.payload };
    await withRunning({ handlers: [index] }, async (worker, db) => {
      await db.query("INSERT INTO jobs (job_type, payload) VALUES ($1, $2)", ["index", { a: 1 }]);
      await worker.seen("job.completed", "job-1");
      expect(await readJob(db, 1)).toMatchObject({ result: { a: 1 } });
    });
  });

  it("ends a handler at its deadline, and heals it as transient", async () => {
    let tries = 0;
    const slow: TestKind = {
      kind: "index",
      run: ({ signal }) => {
        tries += 1;
        if (tries > 1) return Promise.resolve(null);
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      },
    };
    const kinds = [{ kind: "index", timeoutMs: 100 }];
    await withRunning({ handlers: [slow], kinds }, async (worker, db) => {
      const { id } = await enqueueJob(db, { kind: "index", payload: {} });
      const { error } = await worker.seen("job.rescheduled", id);
      expect(error).toBe("JOB_TIMED_OUT: handler exceeded its 100 ms");
      await worker.seen("job.completed", id);
    });
  });

  it("heals the job of a handler that is deaf to its signal, and ends the process", async () => {
    const deaf: TestKind = { kind: "index", run: () => new Promise(() => {}) };
    const kinds = [{ kind: "index", timeoutMs: 50, attemptsMax: 1, concurrency: 1 }];
    const fatal: string[] = [];
    const onFatal = (why: string) => fatal.push(why);
    await withRunning({ handlers: [deaf], kinds, onFatal }, async (worker, db) => {
      const { id } = await enqueueJob(db, { kind: "index", payload: {} });
      expect(await worker.seen("job.failed", id)).toMatchObject({
        error: "JOB_TIMED_OUT: handler exceeded its 50 ms",
      });
      await until(() => fatal.length === 1, "the process is told to end");
      expect(fatal).toEqual([`the handler of ${id} ignored its stop`]);
    });
  });

  it("beats while a handler keeps the loop busy, so nobody takes it for dead", async () => {
    const spell = { from: 0, to: 0 };
    const busy: TestKind = {
      kind: "index",
      run: async () => {
        spell.from = Date.now();
        while (Date.now() < spell.from + BUSY_MS) Math.sqrt(2);
        spell.to = Date.now();
        return null;
      },
    };
    const wishes = { handlers: [busy], healing: { workerDeadAfterMs: 4 * BEAT_EVERY_MS } };
    await withRunning(wishes, async (worker, db) => {
      await watchBeats(db);
      const { id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.completed", id);
      const { rows } = await db.query<{ at: Date }>("SELECT at FROM seen_beat ORDER BY at");
      const meanwhile = rows.filter(({ at }) => +at > spell.from && +at < spell.to);
      expect(meanwhile, JSON.stringify([spell, rows])).not.toEqual([]);
    });
  });

  it("takes no more than the cap over all processes (HB-env-10)", async () => {
    const { handler, open, seen } = gate("index");
    await withRunning({ handlers: [handler], globalCap: 2 }, async (_worker, db) => {
      await enqueueJobs(db, jobs("index", 5));
      await until(async () => (await countOf(db, "running")) === 2, "two jobs run");
      open();
      await until(async () => (await countOf(db, "completed")) === 5, "all are completed");
      expect(seen.most).toBe(2);
    });
  });

  it("starts a due job within its poll interval when no hint comes (HB-env-09)", async () => {
    const index: TestKind = { kind: "index", run: async () => null };
    await withRunning({ handlers: [index], pollMaxMs: 200 }, async (worker, db) => {
      const { id, seq } = await enqueueJob(db, {
        kind: "index",
        payload: {},
        scheduledAt: new Date(Date.now() + 600),
      });
      await worker.seen("job.completed", id);
      const job = await readJob(db, seq);
      const lateMs = job!.startedAt!.getTime() - job!.scheduledAt.getTime();
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThan(5_000);
    });
  });
});

describe("a worker that stops", () => {
  it("lets running jobs end, and takes no new ones", async () => {
    const { handler, open } = gate("index");
    await withRunning({ handlers: [handler] }, async (worker, db) => {
      const running = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.claimed", running.id);
      const stopped = worker.worker.stop();
      const late = await enqueueJob(db, { kind: "index", payload: {} });
      open();
      await stopped;
      expect(await readJob(db, running.seq)).toMatchObject({ status: "completed" });
      expect(await readJob(db, late.seq)).toMatchObject({ status: "pending" });
    });
  });

  it("gives back what did not end in time, and burns no attempt", async () => {
    const { handler } = gate("index");
    await withRunning({ handlers: [handler], drainMs: 50 }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.claimed", id);
      await worker.worker.stop();
      expect(await worker.seen("worker.drained")).toMatchObject({ released: 1 });
      expect(await readJob(db, seq)).toMatchObject({
        status: "pending",
        attempts: 0,
        workerId: null,
        error: null,
      });
    });
  });
});
