/** What is promised over all processes, measured by the database itself while real processes work. */
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Database } from "../../src/store/database.js";
import { enqueueJob, enqueueJobs, type NewJob, readJob } from "../../src/store/jobs.js";
import { makeRepository } from "../support/git-repository.js";
import { lendToFile } from "../support/lend.js";
import { allDone, ask, enqueueScores, type Ground, withGround } from "../support/service-ground.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

/** From now on each claim leaves a row that says how many jobs run then: by kind, and by kind and process. */
async function watchRunning(db: Database): Promise<void> {
  await db.query(
    `CREATE TABLE seen_running (job_type text, worker_id text, count bigint);
     CREATE FUNCTION note_running() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO seen_running
         SELECT job_type, worker_id, count(*) FROM jobs WHERE status = 'running'
         GROUP BY GROUPING SETS ((), (job_type), (job_type, worker_id));
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_running AFTER UPDATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION note_running()`,
  );
}

interface Most {
  readonly job_type: string | null;
  readonly one_process: boolean;
  readonly most: number;
}

/** Of each kind (null: of all together), over all processes and in one. */
function mostRunning(db: Database): Promise<Most[]> {
  return ask<Most>(
    db,
    `SELECT job_type, worker_id IS NOT NULL AS one_process, max(count) AS most
     FROM seen_running GROUP BY 1, 2 ORDER BY 1, 2`,
  );
}

function times(count: number, job: NewJob): NewJob[] {
  return Array.from({ length: count }, () => job);
}

describe("ORCHESTRATOR_MAX_CONCURRENT_JOBS=2", () => {
  it("holds over all processes: of 10 due jobs never more than 2 run (HB-env-10)", () => {
    const env = { ORCHESTRATOR_MAX_CONCURRENT_JOBS: "2" };
    const test = async ({ db, repoId }: Ground) => {
      await watchRunning(db);
      await enqueueScores(db, repoId, 10);
      await allDone(db);
      const all = (await mostRunning(db)).find(({ job_type }) => job_type === null);
      expect(all?.most).toBe(2);
    };
    return withGround(test, { env, sharesServer: true });
  });
});

/** By then the pause between two polls of an idle worker has grown to 1.6 s, and more than half a second of it is to come. */
const IDLE_MS = 2_500;

describe("one service", () => {
  const ground = lendToFile<Ground>((work) =>
    withGround(work, {
      // Three slots in each process: what keeps them empty is the limit over all (HB-env-17, -21, -23).
      env: {
        WORKER_CONCURRENCY_INDEX: "1",
        WORKER_CONCURRENCY_GC: "3",
        WORKER_CONCURRENCY_REPAIR: "3",
        WORKER_CONCURRENCY_MAINTENANCE: "3",
      },
      sharesServer: true,
    }),
  );

  it("that is idle starts a job within 200 ms, though its polls are 5 s apart (HB-env-09, HB-wrk-13)", async () => {
    const { db, repoId } = ground();
    const waits: number[] = [];
    for (let day = 1; day <= 3; day++) {
      await until(() => quietFor(db, IDLE_MS), "nothing happened for a while");
      const { seq } = await enqueueJob(db, {
        kind: "score",
        payload: { repo_id: repoId, as_of: `2026-03-0${day}` },
      });
      const job = await until(async () => {
        const seen = await readJob(db, seq);
        return seen?.startedAt && seen;
      }, "it is started");
      waits.push(job.startedAt!.getTime() - job.createdAt.getTime());
    }
    const typical = waits.sort((a, b) => a - b)[1]!;
    expect(typical, waits.join(", ")).toBeLessThan(200);
  });

  it("runs one job at a time of a kind in a process, and of gc, repair and maintenance one in the world (HB-env-12, X-09)", async () => {
    const { db, home } = ground();
    const path = await makeRepository(join(home, "gadgets"), [
      { author: "Ada Lovelace <ada@example.org>", at: "2026-01-05T09:00:00Z" },
    ]);
    await watchRunning(db);
    await enqueueJobs(db, [
      ...times(6, { kind: "index", payload: { path } }),
      ...times(4, { kind: "gc", payload: {} }),
      ...times(4, { kind: "repair", payload: { repair_type: "rebuild_indexes" } }),
      ...times(4, { kind: "maintenance", payload: { task: "vacuum" } }),
    ]);
    await allDone(db);
    const most = await mostRunning(db);
    const inOneProcess = most.find((it) => it.job_type === "index" && it.one_process);
    expect(inOneProcess?.most).toBe(1);
    for (const kind of ["gc", "repair", "maintenance"]) {
      expect(most.find((it) => it.job_type === kind && !it.one_process)?.most, kind).toBe(1);
    }
    expect(await ask(db, "SELECT id, error FROM jobs WHERE status <> 'completed'")).toEqual([]);
  });
});

async function quietFor(db: Database, ms: number): Promise<boolean> {
  const [row] = await ask<{ last: Date | null }>(
    db,
    "SELECT max(coalesce(completed_at, created_at)) AS last FROM jobs",
  );
  return systemClock.now().getTime() - (row?.last?.getTime() ?? 0) > ms;
}
