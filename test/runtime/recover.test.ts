import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { HeldJob } from "../../src/job/job.js";
import { processKey } from "../../src/runtime/process-key.js";
import { type RecoverDeps, recoverWorker } from "../../src/runtime/recover.js";
import { StartedJobs, startedJobsPath } from "../../src/runtime/started-jobs.js";
import {
  recoverDeadWorkersStep,
  recoverGoneWorkers,
} from "../../src/runtime/tick/recover-dead-workers.js";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJobs } from "../../src/store/job-settle.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { beatWorker, listWorkers, registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

/** Less than the database has been up: nobody is silent for longer than that. */
const policy = makePolicy({ healing: { workerDeadAfterMs: 100 } });

function deps(db: Database, evidenceDir: string | null = null): RecoverDeps {
  return {
    ...{ db, evidenceDir, clock: systemClock, policy: () => policy, random: () => 0.5 },
    ...{ emit: () => {}, notify: async () => {} },
  };
}

async function dying(db: Database, count: number, processKeyOf: string | null = null) {
  const registered = await registerWorker(db, {
    ...{ lane: "general", kinds: ["index"], hostname: "h", pid: 1, processKey: processKeyOf },
  });
  await enqueueJobs(
    db,
    Array.from({ length: count }, () => ({ kind: "index", payload: {} })),
  );
  const kinds = [{ kind: "index", free: count }];
  const held = await claimJobs(db, { workerId: registered.id, kinds, max: 100 });
  return { id: registered.id, seqs: held.map(({ seq }) => seq) };
}

async function rowsOf(db: Database) {
  const { rows } = await db.query<{ status: string; attempts: number; crashes: number }>(
    "SELECT status, attempts, crash_count AS crashes FROM jobs ORDER BY seq",
  );
  return rows;
}

const logged = async (db: Database) =>
  (await db.query("SELECT job_id FROM healdec_log ORDER BY seq")).rows.length;

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-evidence-"));
  try {
    await test(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("the jobs of a dead worker", () => {
  it("are charged only when their handler had started, as its file says", async () => {
    await withFolder((folder) =>
      withDatabase(async (db) => {
        const { id, seqs } = await dying(db, 4);
        const started = new StartedJobs(startedJobsPath(folder, id));
        started.add(seqs.slice(0, 3));
        started.remove(seqs[0]!);
        // In the place of the first, which has ended.
        started.add([seqs[3]!]);
        expect(await recoverWorker(id, deps(db, folder))).toBe(4);
        expect(await rowsOf(db)).toEqual([
          { status: "pending", attempts: 0, crashes: 0 },
          { status: "pending", attempts: 1, crashes: 1 },
          { status: "pending", attempts: 1, crashes: 1 },
          { status: "pending", attempts: 1, crashes: 1 },
        ]);
        expect(await logged(db)).toBe(3);
        expect(await readdir(folder)).toEqual([]);
      }),
    );
  });

  it("cost nothing, started or not, when their worker had to be killed at its shutdown", async () => {
    await withDatabase(async (db) => {
      const { id, seqs } = await dying(db, 2);
      await beatWorker(db, id, seqs);
      expect(await recoverWorker(id, deps(db), { forced: true })).toBe(2);
      expect(await rowsOf(db)).toEqual([
        { status: "pending", attempts: 0, crashes: 0 },
        { status: "pending", attempts: 0, crashes: 0 },
      ]);
      expect(await logged(db)).toBe(0);
    });
  });

  it("are not charged when their handler was acquitted, whatever the slot is used for next", async () => {
    await withFolder((folder) =>
      withDatabase(async (db) => {
        const { id, seqs } = await dying(db, 2);
        const started = new StartedJobs(startedJobsPath(folder, id));
        started.add(seqs);
        started.acquit(seqs[0]!);
        started.acquit(-1);
        await recoverWorker(id, deps(db, folder));
        expect((await rowsOf(db)).map(({ crashes }) => crashes)).toEqual([0, 1]);
      }),
    );
  });

  it("are charged as its last beat said when there is no file, and all of them when it never said", async () => {
    await withDatabase(async (db) => {
      const { id, seqs } = await dying(db, 2);
      await beatWorker(db, id, [seqs[1]!]);
      await recoverWorker(id, deps(db));
      expect((await rowsOf(db)).map(({ crashes }) => crashes)).toEqual([0, 1]);

      await db.query("DELETE FROM jobs");
      const older = await dying(db, 2);
      await db.query("UPDATE workers SET started_jobs = NULL, engine = 1 WHERE id = $1", [
        older.id,
      ]);
      await recoverWorker(older.id, deps(db));
      expect((await rowsOf(db)).map(({ crashes }) => crashes)).toEqual([1, 1]);
    });
  });

  it("are charged without a file when they were taken after the last beat: a killer of machines leaves nothing else", async () => {
    await withDatabase(async (db) => {
      await enqueueJobs(db, [{ kind: "index", payload: {} }]);
      for (let death = 1; death <= 3; death++) {
        const { id } = await registerWorker(db, {
          ...{ lane: "general", kinds: ["index"], hostname: "h", pid: 1 },
        });
        await beatWorker(db, id, []);
        await claimJobs(db, {
          ...{ workerId: id, kinds: [{ kind: "index", free: 1 }], max: 1 },
        });
        await recoverWorker(id, deps(db));
      }
      expect(await rowsOf(db)).toEqual([{ status: "quarantined", attempts: 3, crashes: 3 }]);
    });
  });

  it("are charged without a file as far as they had a slot: of fifty claimed with a killer of machines it alone is set aside", async () => {
    await withDatabase(async (db) => {
      const slots = makePolicy({ kinds: [{ kind: "index", concurrency: 2 }] });
      await enqueueJobs(
        db,
        Array.from({ length: 50 }, (_, n) => ({ kind: "index", payload: { kills: n === 20 } })),
      );
      const kills = ({ payload }: HeldJob) => payload.kills === true;
      let deaths = 0;
      for (let left = 50; left > 0 && deaths < 10; ) {
        const { id } = await registerWorker(db, {
          ...{ lane: "general", kinds: ["index"], hostname: "h", pid: 1 },
        });
        await beatWorker(db, id, []);
        let held: HeldJob[] = await claimJobs(db, {
          ...{ workerId: id, kinds: [{ kind: "index", free: 50 }], max: 50 },
        });
        left = held.length;
        while (held.length > 0) {
          // Two at a time, as the slots allow, of those with a charge one.
          const suspect = held.find(({ crashCount }) => crashCount > 0);
          const together = held
            .filter((job) => job.crashCount === 0 || job === suspect)
            .slice(0, 2);
          if (together.some(kills)) break;
          await completeJobs(
            db,
            together.map((job) => ({ held: job, result: null })),
          );
          held = held.filter((job) => !together.includes(job));
        }
        if (held.length > 0) deaths++;
        await recoverWorker(id, { ...deps(db), policy: () => slots });
      }
      const { rows } = await db.query<{ status: string; count: number; charged: number }>(
        `SELECT status, count(*)::int AS count, count(*) FILTER (WHERE crash_count > 0)::int AS charged
         FROM jobs GROUP BY status ORDER BY status`,
      );
      expect({ deaths, rows }).toEqual({
        deaths: 3,
        rows: [
          { status: "completed", count: 49, charged: 1 },
          { status: "quarantined", count: 1, charged: 1 },
        ],
      });
    });
  });

  it("cost nothing to those who ran beside a job that was there at an earlier death", async () => {
    await withDatabase(async (db) => {
      const { id, seqs } = await dying(db, 3);
      await db.query("UPDATE jobs SET crash_count = 1 WHERE seq = $1", [seqs[1]]);
      await beatWorker(db, id, seqs);
      await recoverWorker(id, deps(db));
      expect(await rowsOf(db)).toEqual([
        { status: "pending", attempts: 0, crashes: 0 },
        { status: "pending", attempts: 1, crashes: 2 },
        { status: "pending", attempts: 0, crashes: 0 },
      ]);
    });
  });

  it("are quarantined at the third death with the evidence, but not in a storm of deaths", async () => {
    for (const others of [0, 3]) {
      await withDatabase(async (db) => {
        const { id, seqs } = await dying(db, 1);
        await db.query("UPDATE jobs SET crash_count = 2");
        await db.query(
          `INSERT INTO workers (id, status, stopped_at) SELECT 'general-worker-' || 1000 + n, 'dead', now() FROM generate_series(1, 2 + $1::int) n`,
          [others],
        );
        await beatWorker(db, id, seqs);
        await recoverWorker(id, deps(db));
        const { rows } = await db.query<{ status: string; error: string }>(
          "SELECT status, error FROM jobs",
        );
        const [job] = rows;
        expect(job!.status).toBe(others === 0 ? "quarantined" : "pending");
        expect(job!.error).toContain("ran alone; charged with 3 deaths");
      });
    }
  });
});

describe("a process of this machine", () => {
  it("is found to be gone at once, whatever its lease says, and only when it is", async () => {
    await withDatabase(async (db) => {
      const own = processKey(process.pid);
      if (own === null) return expect(process.platform).not.toBe("linux");
      const living = await dying(db, 1, own);
      const gone = await dying(db, 1, own.replace(/\d+$/, "1"));
      await recoverGoneWorkers(deps(db));
      const status = new Map((await listWorkers(db)).map((worker) => [worker.id, worker.status]));
      expect(status.get(living.id)).toBe("alive");
      expect(status.get(gone.id)).toBe("dead");
      expect((await rowsOf(db)).map((row) => row.status)).toEqual(["running", "pending"]);
    });
  });
});

describe("a cycle of the leader", () => {
  it("recovers the dead each time, and sweeps up what no death explains now and then", async () => {
    await withDatabase(async (db) => {
      const step = recoverDeadWorkersStep(deps(db));
      const cycle = () => step.run(new Date(), new AbortController().signal);
      const strange = () =>
        db.query(`INSERT INTO jobs (job_type, status, worker_id, started_at)
          VALUES ('index', 'running', 'nobody-1', now() - interval '1 hour')`);
      const statuses = async () => (await rowsOf(db)).map(({ status }) => status);
      await strange();
      await cycle();
      expect(await statuses()).toEqual(["pending"]);
      await strange();
      const { id } = await dying(db, 1);
      await db.query("UPDATE workers SET last_heartbeat = now() - interval '1 hour'");
      await cycle();
      expect((await listWorkers(db)).find((worker) => worker.id === id)?.status).toBe("dead");
      expect((await statuses()).filter((status) => status === "running")).toHaveLength(1);
    });
  });
});
