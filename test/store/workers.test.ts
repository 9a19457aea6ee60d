import { describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob, failJob, findLostJobs } from "../../src/store/job-settle.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import {
  chargeJobs,
  listDeadWorkers,
  listLivingWorkers,
  readDeath,
  takeJobsOfDeadWorker,
  takeOrphanedJobs,
} from "../../src/store/worker-deaths.js";
import { beatWorker, listWorkers, markWorker, registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";

/** The server of the tests has been up for longer. */
const DEAD_AFTER_MS = 1_000;

function register(db: Database, lane: "general" | "internal" = "general") {
  return registerWorker(db, { lane, kinds: ["index", "score"], hostname: "box", pid: 42 });
}

async function claimFor(db: Database, workerId: string) {
  await enqueueJob(db, { kind: "index", payload: {} });
  const kinds = [{ kind: "index", free: 1 }];
  const options = { kinds, max: 1 };
  const [held] = await claimJobs(db, { workerId, ...options });
  return held!;
}

const age = (db: Database, id: string, seconds: number) =>
  db.query("UPDATE workers SET last_heartbeat = now() - $2 * interval '1 second' WHERE id = $1", [
    id,
    seconds,
  ]);

const idsOfDead = async (db: Database) =>
  (await listDeadWorkers(db, DEAD_AFTER_MS)).map(({ id }) => id);

describe("a worker process", () => {
  test("gets an id of its lane and number (HB-db-13)", () =>
    withDatabase(async (db) => {
      const first = await register(db);
      const second = await register(db, "internal");
      expect(first.id).toBe(`general-worker-${first.processNumber}`);
      expect(second.id).toBe(`internal-worker-${second.processNumber}`);
      expect(second.processNumber).toBeGreaterThan(first.processNumber);
      expect(await listWorkers(db)).toMatchObject([
        { id: second.id, status: "alive", kinds: ["index", "score"], hostname: "box", pid: 42 },
        { id: first.id },
      ]);
    }));

  test("that stops beating is dead by the database's clock, and by its beat alive", () =>
    withDatabase(async (db) => {
      expect(await idsOfDead(db)).toEqual([]);
      const { id } = await register(db);
      expect(await idsOfDead(db)).toEqual([]);
      await age(db, id, 11);
      expect(await idsOfDead(db)).toEqual([id]);
      expect(await beatWorker(db, id)).toBe(true);
      expect(await idsOfDead(db)).toEqual([]);
    }));

  test("that was declared dead learns it from its next beat", () =>
    withDatabase(async (db) => {
      const { id } = await register(db);
      expect(await markWorker(db, id, "draining")).toBe(true);
      expect(await beatWorker(db, id)).toBe(true);
      expect(await markWorker(db, id, "dead")).toBe(true);
      expect(await markWorker(db, id, "draining")).toBe(false);
      expect(await beatWorker(db, id)).toBe(false);
      expect(await beatWorker(db, "general-worker-4711")).toBe(false);
    }));
});

describe("the death of a worker", () => {
  test("tells which handlers had started, as its last beat did, and how many died besides", () =>
    withDatabase(async (db) => {
      const [dead, other] = [await register(db), await register(db)];
      expect(await readDeath(db, dead.id, 60_000)).toEqual({
        beaten: [],
        since: [],
        otherDeaths: 0,
      });
      await beatWorker(db, dead.id, [3, 5]);
      const { seq } = await claimFor(db, dead.id);
      await markWorker(db, dead.id, "dead");
      await markWorker(db, other.id, "dead");
      const told = { beaten: [3, 5], since: [seq], otherDeaths: 1 };
      expect(await readDeath(db, dead.id, 60_000)).toEqual(told);
      await db.query("UPDATE workers SET started_jobs = NULL");
      expect((await readDeath(db, dead.id, 60_000)).beaten).toBeNull();
      expect(await listLivingWorkers(db)).toEqual([]);
    }));

  test("is charged to a job by number", () =>
    withDatabase(async (db) => {
      const { id } = await register(db);
      const held = await claimFor(db, id);
      await chargeJobs(db, [held.seq]);
      const [taken] = await takeJobsOfDeadWorker(db, id);
      expect(taken).toMatchObject({ crashCount: 1 });
    }));
});

describe("the jobs of a dead worker", () => {
  test("are taken with a new fence, so that its late finish changes nothing", () =>
    withDatabase(async (db) => {
      const { id } = await register(db);
      const held = await claimFor(db, id);
      const [taken] = await takeJobsOfDeadWorker(db, id);
      expect(taken).toMatchObject({ seq: held.seq, attempt: 1, crashCount: 0 });
      expect(taken!.fence).toBeGreaterThan(held.fence);
      expect(await completeJob(db, held, "late")).toBe(false);
      expect(await findLostJobs(db, id, [held])).toEqual([held.seq]);
      expect(await failJob(db, taken!, { status: "failed", error: "worker died" })).toBe(true);
      expect(await readJob(db, held.seq)).toMatchObject({ status: "failed", result: null });
    }));

  test("are taken by one of two healers", () =>
    withDatabase(async (db) => {
      const { id } = await register(db);
      await claimFor(db, id);
      const heal = () =>
        db.transaction(async (tx) => {
          const jobs = await takeJobsOfDeadWorker(tx, id);
          for (const job of jobs) await failJob(tx, job, { status: "failed", error: "died" });
          return jobs.length;
        });
      const counts = await Promise.all([heal(), heal()]);
      expect(counts.sort()).toEqual([0, 1]);
    }));

  test("of another worker, and none at all, are left alone", () =>
    withDatabase(async (db) => {
      const [dead, living] = [await register(db), await register(db)];
      const held = await claimFor(db, living.id);
      expect(await takeJobsOfDeadWorker(db, dead.id)).toEqual([]);
      expect(await completeJob(db, held, "fine")).toBe(true);
    }));

  test("are found again when the healer dies between marking and healing", () =>
    withDatabase(async (db) => {
      const { id } = await register(db);
      await claimFor(db, id);
      await markWorker(db, id, "dead");
      expect(await idsOfDead(db)).toEqual([id]);
      await db.query("UPDATE jobs SET status = 'pending'");
      expect(await idsOfDead(db)).toEqual([]);
    }));

  test("that nobody ever claimed are taken after a grace time", () =>
    withDatabase(async (db) => {
      await db.query(
        "INSERT INTO jobs (job_type, payload, status) VALUES ('index', '{}', 'running')",
      );
      expect(await takeOrphanedJobs(db, 60_000)).toEqual([]);
      const { id } = await register(db);
      await claimFor(db, id);
      expect(await takeOrphanedJobs(db, -1)).toHaveLength(1);
    }));
});
