import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.js";
import { cancelJob } from "../../src/store/job-actions.js";
import { enqueueJob, enqueueJobs } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { type TestKind, withWorker } from "./support/worker.js";

const jobs = (count: number, payload = {}) =>
  Array.from({ length: count }, () => ({ kind: "index", payload }));

async function countOf(db: Database, status: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*) AS count FROM jobs WHERE status = $1",
    [status],
  );
  return rows[0]!.count;
}

/** Returns at once, except for payloads that say `hold`: they run until they are let go. */
function holding() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const seen = { now: 0, most: 0, ran: 0 };
  const handler: TestKind = {
    kind: "index",
    run: async ({ job, signal }) => {
      seen.now += 1;
      seen.ran += 1;
      seen.most = Math.max(seen.most, seen.now);
      try {
        if (job.payload.hold) await Promise.race([opened, aborted(signal)]);
      } finally {
        seen.now -= 1;
      }
      return null;
    },
  };
  return { handler, seen, open: () => open() };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, no) => signal.addEventListener("abort", () => no(signal.reason)));
}

const ONE = [{ kind: "index", concurrency: 1 }];

describe("claiming ahead", () => {
  it("begins when handlers are known to be quick, and gives back what waits for too long", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen, open } = holding();
      const wishes = { handlers: [handler], kinds: ONE, globalCap: null };
      await withWorker({ db, url }, wishes, async () => {
        await enqueueJobs(db, jobs(300));
        await until(async () => (await countOf(db, "completed")) === 300, "all are done");
        await enqueueJobs(db, [...jobs(1, { hold: true }), ...jobs(20)]);
        await until(
          async () => (await countOf(db, "running")) === 21,
          "one runs, twenty wait here",
        );
        // The rows say so a moment before the worker knows.
        await until(() => seen.now === 1, "one runs here");
        await until(async () => (await countOf(db, "pending")) > 0, "those that wait go back");
        expect(seen.ran).toBe(301);
        open();
        await until(async () => (await countOf(db, "completed")) === 321, "all are done");
        expect(seen.most).toBe(1);
      });
    });
  });

  it("never happens where one at a time in the world is allowed", async () => {
    await withDatabase(async (db, url) => {
      const { handler, open } = holding();
      const kinds = [{ kind: "index", concurrency: 1, globalMax: 1 }];
      await withWorker({ db, url }, { handlers: [handler], kinds }, async () => {
        await enqueueJobs(db, jobs(50));
        await until(async () => (await countOf(db, "completed")) === 50, "all are done");
        await enqueueJobs(db, jobs(4, { hold: true }));
        await until(async () => (await countOf(db, "running")) === 1, "one runs");
        expect(await countOf(db, "pending")).toBe(3);
        open();
      });
    });
  });

  it("starts no job that was cancelled while it waited", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen, open } = holding();
      await withWorker(
        { db, url },
        { handlers: [handler], kinds: ONE, globalCap: null },
        async ({ seen: lost }) => {
          await enqueueJobs(db, jobs(200));
          await until(async () => (await countOf(db, "completed")) === 200, "all are done");
          const [, waiting] = await enqueueJobs(db, [...jobs(1, { hold: true }), ...jobs(1)]);
          await until(async () => (await countOf(db, "running")) === 2, "one runs, one waits here");
          await cancelJob(db, { seq: waiting!.seq, actor: "cli:ann", reason: "not wanted" });
          await lost("job.lost", waiting!.id);
          open();
          await until(async () => (await countOf(db, "completed")) === 201, "the first is done");
          await until(async () => (await countOf(db, "running")) === 0, "nothing runs");
          expect(seen.ran).toBe(201);
        },
      );
    });
  });
});

describe("jobs that a worker died under", () => {
  it("run one at a time, beside others, so that the next death names the culprit", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen, open } = holding();
      const { rows } = await db.query<{ seq: number }>(
        `INSERT INTO jobs (job_type, payload, crash_count) SELECT 'index', '{"hold": true}', 1 FROM generate_series(1, 3) RETURNING seq`,
      );
      expect(rows).toHaveLength(3);
      await withWorker({ db, url }, { handlers: [handler] }, async () => {
        await until(() => seen.now === 1, "one suspect runs");
        await enqueueJobs(db, jobs(2, { hold: true }));
        await until(() => seen.now === 3, "others run beside it");
        open();
        await until(async () => (await countOf(db, "completed")) === 5, "all are done");
        expect(seen.most).toBe(3);
      });
    });
  });

  it("which may take hours, runs of runbooks, follow one another closely instead", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen, open } = holding();
      await db.query(
        `INSERT INTO jobs (job_type, payload, crash_count) SELECT 'runbook', '{"hold": true}', 1 FROM generate_series(1, 3)`,
      );
      const runs = { ...handler, kind: "runbook" };
      const kinds = [{ kind: "index" }];
      await withWorker({ db, url }, { handlers: [runs], kinds }, async () => {
        await until(() => seen.now === 1, "one runs");
        await until(() => seen.now === 3, "all run, though none has ended");
        open();
        await until(async () => (await countOf(db, "completed")) === 3, "all are done");
        expect(seen.ran).toBe(3);
      });
    });
  });
});

describe("a cancelled job", () => {
  it("is told so at once, long before anybody would look", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen } = holding();
      await withWorker({ db, url }, { handlers: [handler] }, async () => {
        const { seq } = await enqueueJob(db, { kind: "index", payload: { hold: true } });
        await until(() => seen.now === 1, "it runs");
        await cancelJob(db, { seq, actor: "cli:ann", reason: "not wanted" });
        await until(() => seen.now === 0, "its signal aborts");
        expect(await countOf(db, "cancelled")).toBe(1);
      });
    });
  });

  it("ends the process when its handler is deaf", async () => {
    await withDatabase(async (db, url) => {
      const deaf: TestKind = { kind: "index", run: () => new Promise(() => {}) };
      const fatal: string[] = [];
      const wishes = { handlers: [deaf], onFatal: (why: string) => fatal.push(why) };
      await withWorker({ db, url }, wishes, async ({ seen }) => {
        const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
        await seen("job.claimed", id);
        await cancelJob(db, { seq, actor: "cli:ann", reason: "not wanted" });
        await until(() => fatal.length > 0, "the process is told to end");
        expect(fatal).toEqual([`the handler of ${id} ignored its stop`]);
      });
    });
  });
});

describe("limits over two processes", () => {
  it("are never exceeded, and room that one does not need goes to the other", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen, open } = holding();
      const kinds = [{ kind: "index", concurrency: 8 }];
      const wishes = { handlers: [handler], kinds, globalCap: 8 };
      await withWorker({ db, url }, wishes, (first) =>
        withWorker({ db, url }, wishes, async () => {
          await enqueueJobs(db, jobs(40));
          await until(async () => (await countOf(db, "completed")) === 40, "all are done");
          expect(seen.most).toBeLessThanOrEqual(8);
          await first.worker.stop();
          await enqueueJobs(db, jobs(20, { hold: true }));
          await until(() => seen.now === 8, "the other has all the room");
          open();
          await until(async () => (await countOf(db, "completed")) === 60, "all are done");
          expect(seen.most).toBe(8);
        }),
      );
    });
  });

  it("let no more start in a time than the kind's rate", async () => {
    await withDatabase(async (db, url) => {
      const { handler, seen } = holding();
      const kinds = [{ kind: "index", rateLimit: { max: 5, perMs: 3_600_000 } }];
      await withWorker({ db, url }, { handlers: [handler], kinds }, async () => {
        await enqueueJobs(db, jobs(20));
        await until(() => seen.ran === 5, "five start");
        await db.query("UPDATE control.rate_bucket SET updated_at = now() - interval '30 minutes'");
        await until(() => seen.ran === 7, "two more start half the time later");
        expect(await countOf(db, "pending")).toBe(13);
      });
    });
  });
});
