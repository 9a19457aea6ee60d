/** What the samples say of dead rows, indexes, old snapshots and quarantined jobs that are about to go. */
import { describe, expect, it } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import { type Logger, silentLogger } from "../../src/base/log.js";
import { SnapshotAges, tableHealthSource } from "../../src/runtime/sample/table-health.js";
import type { Database, Session } from "../../src/store/database.js";
import { listSnapshotHolders, type SnapshotHolder } from "../../src/store/table-health.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { until } from "../support/until.js";

async function collect(db: Database, log: Logger = silentLogger) {
  const source = tableHealthSource({ sql: db, policy: () => makePolicy(), log });
  const samples = await source.collect(new Date());
  return Object.fromEntries(samples.map(({ metric, value }) => [metric, value]));
}

/** Holds a snapshot of its own, and is told apart by its name. */
async function holdSnapshot(db: Database, work: () => Promise<void>): Promise<void> {
  await db.connect(async (session: Session) => {
    await session.query("SET application_name = 'forgotten-report'");
    await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await session.query("SELECT FROM public.jobs");
    await work();
    await session.query("ROLLBACK");
  });
}

const slot: SnapshotHolder = {
  ...{ kind: "replication slot", name: "replica", pid: null, state: null, heldMs: null },
  horizon: "700",
};

describe("an old snapshot", () => {
  it("is found with who holds it, and is over when it ends", () =>
    withDatabase(async (db) => {
      await holdSnapshot(db, async () => {
        const [holder] = await listSnapshotHolders(db);
        expect(holder).toMatchObject({
          ...{ kind: "session", name: "forgotten-report", state: "idle in transaction" },
          ...{ pid: expect.any(Number), heldMs: expect.any(Number) },
        });
        const samples = await collect(db);
        expect(samples["algobrain.db.oldest_snapshot_age"]).toBeGreaterThanOrEqual(
          holder!.heldMs! / 1_000,
        );
      });
      const gone = async () =>
        (await listSnapshotHolders(db)).every(({ name }) => name !== "forgotten-report");
      await until(gone, "the holder is gone");
    }));

  it("of a slot is as old as we have seen it stand still", () => {
    const ages = new SnapshotAges();
    const at = (ms: number) => new Date(1_700_000_000_000 + ms);
    expect(ages.oldest([], at(0))).toBeNull();
    expect(ages.oldest([slot], at(0))?.heldMs).toBe(0);
    const session: SnapshotHolder = { ...slot, kind: "session", name: "app", heldMs: MINUTE_MS };
    expect(ages.oldest([slot, session], at(HOUR_MS))).toEqual({ ...slot, heldMs: HOUR_MS });
    expect(ages.oldest([{ ...slot, horizon: "701" }, session], at(2 * HOUR_MS))?.name).toBe("app");
  });
});

describe("the table of jobs", () => {
  it("has its dead rows, when autovacuum would come, and the size of its indexes measured", () =>
    withDatabase(async (db) => {
      await db.connect(async (session) => {
        await session.query(
          `ALTER TABLE public.jobs SET (autovacuum_enabled = false);
           INSERT INTO public.jobs (job_type, status, completed_at, unique_key)
           SELECT 'index', 'completed', now(), 'key-' || n FROM generate_series(1, 2000) n;
           DELETE FROM public.jobs WHERE seq <= 1500`,
        );
        await session.query("SELECT pg_stat_force_next_flush()");
      });
      const samples = await until(async () => {
        const found = await collect(db);
        return found["algobrain.db.jobs_dead_rows"] === 1_500 && found;
      }, "the server has counted the dead rows");
      // 500, and 2 of 100 that live (src/db/control/0001).
      expect(samples["algobrain.db.jobs_vacuum_at_rows"]).toBe(510);
      expect(samples["algobrain.db.jobs_vacuum_overdue"]).toBeGreaterThan(0);
      const needed = samples["algobrain.db.jobs_index_needed_bytes"]!;
      expect(needed % (4 * 1024 * 1024)).toBe(0);
      expect(samples["algobrain.db.jobs_index_bytes"]).toBeLessThan(needed);
      await db.connect((session) => session.query("VACUUM public.jobs"));
      expect(await collect(db)).toMatchObject({ "algobrain.db.jobs_vacuum_overdue": 0 });
    }));
});

describe("quarantined jobs", () => {
  it("are counted from some days before they go (X-07)", () =>
    withDatabase(async (db) => {
      // Kept 365 days in this policy, and the warning comes 7 before.
      await db.query(
        `INSERT INTO jobs (job_type, status, completed_at)
         SELECT 'index', 'quarantined', now() - n * interval '1 day' FROM unnest(ARRAY[1, 357, 359, 370]) n`,
      );
      expect(await collect(db)).toMatchObject({ "algobrain.jobs.quarantine_expiring": 2 });
    }));
});
