/** maintenance on a real database: what autovacuum has left undone, and bloated indexes. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import { createMaintenanceHandler } from "../../../src/runtime/handler/maintenance.js";
import { rebuildBloated } from "../../../src/runtime/handler/rebuild-bloated.js";
import type { Database } from "../../../src/store/database.js";
import { HOT_TABLES, prepareForCare } from "../../../src/store/maintenance.js";
import {
  readIndexSizes,
  readVacuumNeeds,
  type SnapshotHolder,
} from "../../../src/store/table-health.js";
import { withDatabase } from "../../support/database.js";
import { makeContext } from "../../support/job-context.js";
import { makePolicy } from "../../support/make-policy.js";
import { makeShell } from "../../support/runbook-world.js";
import { until } from "../../support/until.js";

function run(db: Database, payload: JsonObject = {}, now = new Date()): Promise<unknown> {
  const context = makeContext({ kind: "maintenance", payload, now: now.toISOString() });
  const care = { backupsDir: "/nowhere", directUrl: "", ssl: false, environment: "test" };
  const deps = { db, policy: () => makePolicy(), care: { ...care, shell: makeShell() } };
  return createMaintenanceHandler(deps).run(context);
}

async function addDeadEvents(db: Database): Promise<void> {
  await db.connect(async (session) => {
    await session.query(
      `ALTER TABLE events SET (autovacuum_enabled = false);
       INSERT INTO events (event_type) SELECT 'push' FROM generate_series(1, 500);
       DELETE FROM events WHERE id <= 400`,
    );
    await session.query("SELECT pg_stat_force_next_flush()");
  });
  await until(async () => {
    const [events] = await readVacuumNeeds(db, ["public.events"]);
    return events?.deadRows === 400;
  }, "the server has counted the dead rows");
}

async function reltuples(db: Database, table: string): Promise<number | undefined> {
  const { rows } = await db.query<{ reltuples: number }>(
    "SELECT reltuples FROM pg_class WHERE oid = $1::regclass",
    [table],
  );
  return rows[0]?.reltuples;
}

describe("maintenance", () => {
  it("asked for a task does it to every hot table, each of which is there", () =>
    withDatabase(async (db) => {
      await addDeadEvents(db);
      const result = await run(db, { task: "vacuum" });
      expect(await reltuples(db, "public.events")).toBe(100);
      const tables = [...HOT_TABLES].sort().map((table) => expect.objectContaining({ table }));
      expect(result).toMatchObject({ task: "vacuum", tables });
    }));

  it("by itself cares for what autovacuum has left undone, and makes the days of samples", () =>
    withDatabase(async (db) => {
      await addDeadEvents(db);
      expect(await run(db)).toEqual({
        ...{ task: "as-needed", indexes: [], leftovers_dropped: 0, sample_days_added: 6 },
        scratch_databases_dropped: 0,
        tables: [
          expect.objectContaining({ table: "public.events", dead_rows: 400, done: "vacuum" }),
        ],
        oldest_snapshot: null,
      });
      expect(await reltuples(db, "public.events")).toBe(100);
      expect(await run(db)).toMatchObject({ tables: [], sample_days_added: 0 });
    }));
});

describe("bloated indexes of jobs", () => {
  const LIMITS = { factor: 4, floorBytes: 64 * 1024 };
  const HOLDER: SnapshotHolder = {
    ...{
      kind: "session",
      name: "report",
      pid: 1,
      state: "active",
      heldMs: 3_600_000,
      horizon: "7",
    },
  };

  async function bloat(db: Database): Promise<void> {
    await db.query(
      `ALTER TABLE jobs SET (autovacuum_enabled = false);
       INSERT INTO jobs (job_type, status, completed_at, unique_key)
       SELECT 'index', 'completed', now(), 'key-' || n FROM generate_series(1, 20000) n;
       DELETE FROM jobs WHERE seq > 500`,
    );
    await db.connect((session) => session.query("VACUUM ANALYZE jobs"));
  }

  const sizeOf = async (db: Database, index: string) =>
    (await readIndexSizes(db, "public.jobs")).find(({ qualified }) => qualified === index)!;

  it("are built anew, leftovers of an interrupted rebuild first", () =>
    withDatabase(async (db) => {
      await bloat(db);
      // What a rebuild leaves that is ended half-way.
      await db.query(
        `CREATE INDEX jobs_pkey_ccnew ON jobs (seq);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'jobs_pkey_ccnew'::regclass`,
      );
      const before = await sizeOf(db, "public.jobs_pkey");
      expect(before.bytes).toBeGreaterThan(LIMITS.factor * LIMITS.floorBytes);
      const done = await db.connect(async (session) => {
        await prepareForCare(session, 60_000);
        return rebuildBloated(session, makeContext({ payload: {} }), null, LIMITS);
      });
      expect(done).toMatchObject({
        leftovers_dropped: 1,
        indexes: expect.arrayContaining([
          { index: "public.jobs_pkey", bytes: before.bytes, needed_bytes: expect.any(Number) },
        ]),
      });
      const after = await sizeOf(db, "public.jobs_pkey");
      expect(after.bytes).toBeLessThan(before.bytes / LIMITS.factor);
      // The estimate by which it is judged is not far from what an index of 500 entries takes.
      expect(after.bytes / after.neededBytes).toBeGreaterThan(0.5);
      expect(after.bytes / after.neededBytes).toBeLessThan(4);
      const { rows } = await db.query("SELECT FROM pg_class WHERE relname ~ '_cc(new|old)'");
      expect(rows).toEqual([]);
    }));

  it("are not hidden by one of ranges, which needs nothing for a row", () =>
    withDatabase(async (db) => {
      await bloat(db);
      await db.query("ANALYZE jobs");
      const { bytes, neededBytes } = await sizeOf(db, "public.idx_jobs_id");
      expect(neededBytes).toBe(bytes);
    }));

  it("are left as they are while an old snapshot would keep the rebuild waiting, and it is said", () =>
    withDatabase(async (db) => {
      await bloat(db);
      const done = await db.connect((session) =>
        rebuildBloated(session, makeContext({ payload: {} }), HOLDER, LIMITS),
      );
      const { bytes } = await sizeOf(db, "public.jobs_pkey");
      expect(done.indexes).toContainEqual(
        expect.objectContaining({
          index: "public.jobs_pkey",
          bytes,
          left_undone: "an old snapshot is held",
        }),
      );
    }));
});
