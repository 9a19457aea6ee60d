/** Polls may be far apart: what comes back to the queue must not wait for the next one. */
import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { releaseJob, rescheduleJob } from "../../src/store/job-settle.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { listenToJobs } from "../../src/store/notifications.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { withWorker } from "./support/worker.js";

async function claimOne(db: Database) {
  await enqueueJob(db, { kind: "index", payload: {} });
  const [held] = await claimJobs(db, {
    ...{ workerId: "general-worker-1", max: 1 },
    kinds: [{ kind: "index", free: 1 }],
  });
  return held!;
}

/** How many hints there were while the work was done. */
async function hintsDuring(db: Database, work: () => Promise<unknown>): Promise<number> {
  return db.connect(async (session) => {
    let hints = 0;
    session.onNotification((_channel, payload) => {
      if (payload === "") hints += 1;
    });
    await listenToJobs(session, "own");
    await work();
    // Notifications come in the order of their commits: with this one, all before it are here.
    let marked = false;
    session.onNotification((_channel, payload) => {
      if (payload === "mark") marked = true;
    });
    await db.query("SELECT pg_notify('algobrain_job', 'mark')");
    await until(() => marked, "the mark arrives");
    return hints;
  });
}

describe("a job that comes back", () => {
  it("at a time is started when it is due, by the worker that put it back", async () => {
    await withDatabase(async (db, url) => {
      let tries = 0;
      const run = async () => {
        tries += 1;
        if (tries === 1) throw fault.waiting("NOT_YET", "come back", { retryAfterMs: 3_500 });
        return null;
      };
      const wishes = { handlers: [{ kind: "index", run }], pollMaxMs: 60_000 };
      await withWorker({ db, url }, wishes, async ({ seen }) => {
        const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
        await seen("job.completed", id);
        const { rows } = await db.query<{ late: number }>(
          "SELECT (extract(epoch FROM started_at - scheduled_at) * 1000)::int AS late FROM jobs WHERE seq = $1",
          [seq],
        );
        // Polls are at 50, 150, 350, … 3150 and 6350 ms.
        expect(rows[0]!.late).toBeLessThan(2_000);
      });
    });
  });

  it("at once is a hint to idle workers, like a new one", async () => {
    await withDatabase(async (db) => {
      const released = await claimOne(db);
      expect(await hintsDuring(db, () => releaseJob(db, released))).toBe(1);
      const healed = await claimOne(db);
      const next = { delayMs: 0, error: "WORKER_DIED: it died", burnAttempt: true };
      expect(await hintsDuring(db, () => rescheduleJob(db, healed, next))).toBe(1);
    });
  });

  it("later is none", async () => {
    await withDatabase(async (db) => {
      const held = await claimOne(db);
      const next = { delayMs: 60_000, error: "UNEXPECTED: it failed", burnAttempt: true };
      expect(await hintsDuring(db, () => rescheduleJob(db, held, next))).toBe(0);
    });
  });
});
