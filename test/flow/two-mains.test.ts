/** Two of everything: the whole program twice on one database, its leader killed, the next one stopped, and no schedule missed or doubled. */
import { expect, it, vi } from "vitest";
import type { Database } from "../../src/store/database.js";
import { isLeaseHeld } from "../../src/store/lease.js";
import { createTestDatabase } from "../support/database.js";
import { readLease } from "../support/lease.js";
import { type ReadyService, startService, stopService } from "../support/service.js";
import { allDone, ask } from "../support/service-ground.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

/** From the kill to the first cycle of the next leader. */
const LEADER_CHANGE_MAX_MS = 10_000;
const SCHEDULE = "nightly-audit";

/** From now on each run of a schedule that was claimed leaves a row. */
async function watchSchedules(db: Database): Promise<void> {
  await db.query(
    `CREATE TABLE seen_run (name text, due_at timestamptz, job_seq bigint);
     CREATE FUNCTION note_run() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO seen_run VALUES (NEW.name, NEW.last_due_at, NEW.job_seq);
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_run AFTER UPDATE ON control.schedule_run FOR EACH ROW
       WHEN (NEW.job_seq IS NOT NULL) EXECUTE FUNCTION note_run()`,
  );
}

/** As if nobody had led for two days: the run is due at once, and once. A leader that has looked looks again seconds later. */
async function makeDue(db: Database): Promise<void> {
  await db.query(
    `INSERT INTO control.schedule_run (name, last_due_at) VALUES ($1, now() - interval '2 days')
     ON CONFLICT (name) DO UPDATE SET last_due_at = excluded.last_due_at, job_seq = NULL`,
    [SCHEDULE],
  );
}

function runsSeen(db: Database): Promise<{ seq: number; jobs: number }[]> {
  return ask(
    db,
    `SELECT r.job_seq AS seq, (SELECT count(*) FROM jobs WHERE requested_by = 'schedule:' || r.name) AS jobs
     FROM seen_run r WHERE r.name = '${SCHEDULE}' ORDER BY 1`,
  );
}

async function leaderOf(db: Database, services: readonly ReadyService[]): Promise<ReadyService> {
  return until(async () => {
    if (!(await isLeaseHeld(db, "orchestrator"))) return null;
    const pid = Number((await readLease(db, "orchestrator"))!.holder.split(":").at(-2));
    return services.find((service) => service.pid === pid);
  }, "one of them leads");
}

function isHealthy({ url }: ReadyService): Promise<boolean> {
  return until(async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(20_000) });
    return ((await answer.json()) as { status: string }).status === "healthy";
  }, "it says that it is healthy");
}

it("serve, twice on one database: the leader is killed, the other leads within 10 s and hands over when it ends, and each due run is one job", () =>
  withHome((firstHome) =>
    withHome(async (secondHome) => {
      const { db, url: databaseUrl, drop } = await createTestDatabase();
      await watchSchedules(db);
      await makeDue(db);
      const services = await Promise.all(
        [firstHome, secondHome].map((home) => startService({ home, databaseUrl })),
      );
      try {
        expect(new Set(services.map(({ url }) => url)).size).toBe(2);
        await Promise.all(services.map(isHealthy));
        await until(async () => (await runsSeen(db)).length === 1, "it runs");
        await allDone(db);

        const leader = await leaderOf(db, services);
        const killedMs = performance.now();
        leader.kill("SIGKILL");
        await makeDue(db);
        await until(async () => (await runsSeen(db)).length === 2, "it runs under the next leader");
        expect(performance.now() - killedMs).toBeLessThan(LEADER_CHANGE_MAX_MS);
        await leader.allGone;

        const home = leader === services[0] ? firstHome : secondHome;
        const next = services.find((service) => service !== leader)!;
        const newcomer = await startService({ home, databaseUrl });
        services[services.indexOf(leader)] = newcomer;
        await Promise.all(services.map(isHealthy));
        expect(await leaderOf(db, services)).toBe(next);
        await makeDue(db);
        await Promise.all([
          stopService(next),
          until(async () => (await runsSeen(db)).length === 3, "it runs under the newcomer"),
        ]);
        expect(await leaderOf(db, services)).toBe(newcomer);
        await allDone(db);
        // Three due times, three runs claimed, three jobs.
        expect(await runsSeen(db)).toEqual(
          [1, 2, 3].map(() => ({ seq: expect.any(Number), jobs: 3 })),
        );
      } finally {
        await Promise.all(services.map(stopService));
        await drop();
      }
    }),
  ));
