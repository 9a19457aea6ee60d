/** The bar of the service: 1,000 real jobs, every process of it killed in turn, and nothing is lost. */
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.js";
import { isAlive } from "../support/service.js";
import {
  allDone,
  ask,
  enqueueScores,
  type Ground,
  passed,
  withGround,
} from "../support/service-ground.js";
import { findServer } from "../support/service-home.js";
import { until } from "../support/until.js";

const JOBS = 1_000;
/** A crashed server reads and syncs all its files first, and what it left must have ended: on a slow disk that takes its time. */
const REVIVED_WITHIN_MS = 120_000;

/** Kills a worker of the lane; a general one in the midst of its jobs. Returns its number. */
async function killWorker(db: Database, lane: "general" | "internal"): Promise<string> {
  const victim = await until(async () => {
    const rows = await ask<{ id: string; pid: number }>(
      db,
      `SELECT id, pid FROM workers w WHERE status = 'alive' AND id LIKE $1 || '-%'
         AND ($1 = 'internal' OR EXISTS (SELECT FROM jobs WHERE worker_id = w.id AND status = 'running'))
       ORDER BY process_number`,
      [lane],
    );
    return rows.find(({ pid }) => isAlive(pid));
  }, `a ${lane} worker that can be killed`);
  process.kill(victim.pid, "SIGKILL");
  return victim.id.split("-").at(-1)!;
}

/** The supervisor, orchestrator and API in one. Its workers must not outlive it. */
async function killMain({ db, service, restart }: Ground): Promise<void> {
  const children = await ask<{ pid: number }>(db, "SELECT pid FROM workers WHERE status = 'alive'");
  expect(children.length).toBeGreaterThanOrEqual(3);
  const former = service();
  former.kill("SIGKILL");
  await former.allGone;
  expect(children.filter(({ pid }) => isAlive(pid))).toEqual([]);
  await restart();
}

/** It comes back at its place, through the service itself. */
async function killDatabase({ home }: Ground): Promise<void> {
  const { pid, port } = findServer(home)!;
  process.kill(pid, "SIGKILL");
  const revived = await until(
    () => {
      const server = findServer(home);
      return server?.pid !== pid && server;
    },
    "the database is up again",
    REVIVED_WITHIN_MS,
  );
  expect(revived.port).toBe(port);
}

interface JobFacts {
  readonly status: string;
  readonly attempts: number;
  readonly crash_count: number;
  readonly healed: number;
  readonly crashes: number;
}

/** Each job beside what healing wrote about it. */
function readLedger(db: Database): Promise<JobFacts[]> {
  return ask<JobFacts>(
    db,
    `SELECT j.status, j.attempts, j.crash_count, count(h.id) AS healed,
            count(h.id) FILTER (WHERE h.failure_type = 'crash') AS crashes
     FROM jobs j LEFT JOIN healdec_log h ON h.job_id = j.id
     WHERE j.job_type = 'score' GROUP BY j.seq`,
  );
}

describe("1,000 real jobs while every process of the service is killed in turn", () => {
  it("complete, each once, with every crash in healdec_log and nothing left behind", async () => {
    await withGround(async (ground) => {
      const { db, repoId, service } = ground;
      await enqueueScores(db, repoId, JOBS);
      const killed: string[] = [];
      await passed(db, 100);
      killed.push(await killWorker(db, "general"));
      await passed(db, 200);
      killed.push(await killWorker(db, "general"));
      await passed(db, 300);
      await killWorker(db, "internal");
      await passed(db, 400);
      await killMain(ground);
      await passed(db, 600);
      await killDatabase(ground);
      await allDone(db);

      const ledger = await readLedger(db);
      expect(ledger.filter(({ status }) => status !== "completed")).toEqual([]);
      // A job that was given back by a worker whose supervisor died burnt no attempt, and is no failure.
      expect(ledger.filter(({ attempts, healed }) => attempts !== 1 + healed)).toEqual([]);
      expect(ledger.filter((job) => job.crash_count !== job.crashes || job.crashes > 1)).toEqual(
        [],
      );
      const healed = await ask<{ worker_id: string; failure_type: string; success: boolean }>(
        db,
        "SELECT DISTINCT worker_id, failure_type, success FROM healdec_log",
      );
      expect(healed.filter(({ success }) => !success)).toEqual([]);
      const crashed = healed.filter(({ failure_type }) => failure_type === "crash");
      expect(crashed.map(({ worker_id }) => worker_id)).toEqual(
        expect.arrayContaining(killed.map((number) => `score-worker-${number}`)),
      );
      expect(await ask(db, "SELECT count(DISTINCT parts ->> 'asOf') AS days FROM scores")).toEqual([
        { days: JOBS },
      ]);
      expect(
        await ask(db, "SELECT id FROM jobs WHERE status IN ('running', 'quarantined')"),
      ).toEqual([]);

      const health = await fetch(`${service().url}/health`);
      expect([health.status, await health.json()]).toMatchObject([200, { status: "healthy" }]);
      const pids = (await ask<{ pid: number }>(db, "SELECT pid FROM workers")).map(
        ({ pid }) => pid,
      );
      service().kill("SIGTERM");
      await service().allGone;
      expect(pids.filter(isAlive)).toEqual([]);
    });
  }, 400_000);
});
