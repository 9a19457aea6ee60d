import { describe, expect, test } from "vitest";
import {
  dropCapacity,
  dropLostCapacity,
  giveCapacity,
  giveRate,
  runsOlderEngine,
  takeCapacity,
  takeRate,
} from "../../src/store/capacity.js";
import type { Database } from "../../src/store/database.js";
import { markWorker, registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";

const wish = (wanted: number, held = 0, cap = 10, scope = "gc") => ({ scope, cap, held, wanted });

async function workers(db: Database, count: number): Promise<string[]> {
  const registered = Array.from({ length: count }, () =>
    registerWorker(db, { lane: "general", kinds: [], hostname: "h", pid: 1 }),
  );
  return (await Promise.all(registered)).map(({ id }) => id);
}

async function take(db: Database, worker: string, wanted: number, held = 0, cap = 10) {
  return (await takeCapacity(db, worker, [wish(wanted, held, cap)])).get("gc");
}

describe("capacity", () => {
  test("is granted up to the limit, over all who ask at once", () =>
    withDatabase(async (db) => {
      const asked = (await workers(db, 12)).map((id) => take(db, id, 3));
      const granted = await Promise.all(asked);
      expect(granted.reduce((sum = 0, one = 0) => sum + one)).toBe(10);
    }));

  test("goes to others when it is given back, or its holder is gone", () =>
    withDatabase(async (db) => {
      const [a, b] = (await workers(db, 2)) as [string, string];
      expect(await take(db, a, 10)).toBe(10);
      expect(await take(db, b, 5)).toBe(0);
      await giveCapacity(db, a, new Map([["gc", 7]]));
      expect(await take(db, b, 5)).toBe(3);
      await dropCapacity(db, a);
      expect(await take(db, b, 99)).toBe(10);
    }));

  test("is never taken from who holds it, also when the limit is lowered", () =>
    withDatabase(async (db) => {
      const [a, b] = (await workers(db, 2)) as [string, string];
      expect(await take(db, a, 8)).toBe(8);
      expect(await take(db, a, 8, 6, 2)).toBe(6);
      expect(await take(db, b, 1, 0, 2)).toBe(0);
    }));

  test("is not for the dead, who may ask with their last breath", () =>
    withDatabase(async (db) => {
      const [a, b] = (await workers(db, 2)) as [string, string];
      expect(await take(db, a, 6)).toBe(6);
      await markWorker(db, a, "dead");
      expect(await take(db, a, 8)).toBeUndefined();
      await dropLostCapacity(db);
      expect(await take(db, b, 10)).toBe(10);
    }));

  test("counts the running jobs of older software, which takes none", () =>
    withDatabase(async (db) => {
      const { id } = await registerWorker(db, {
        lane: "general",
        kinds: [],
        hostname: "h",
        pid: 1,
      });
      expect(await runsOlderEngine(db, 60_000)).toBe(false);
      await db.query("UPDATE workers SET engine = 1 WHERE id = $1", [id]);
      expect(await runsOlderEngine(db, 60_000)).toBe(true);
      await db.query(
        "INSERT INTO jobs (job_type, status, worker_id) SELECT 'gc', 'running', $1 FROM generate_series(1, 4)",
        [id],
      );
      const [b] = (await workers(db, 1)) as [string];
      const granted = await takeCapacity(db, b, [wish(10), wish(10, 0, 6, "*")]);
      expect(granted).toEqual(
        new Map([
          ["*", 2],
          ["gc", 6],
        ]),
      );
    }));
});

describe("a rate", () => {
  const limit = { max: 5, perMs: 3_600_000 };
  test("lets as many start as it says, over all who ask at once, and refills with time", () =>
    withDatabase(async (db) => {
      const taken = await Promise.all(
        [3, 3, 3].map((wanted) => takeRate(db, "index", limit, wanted)),
      );
      expect(taken.reduce((sum, one) => sum + one)).toBe(5);
      expect(await takeRate(db, "score", limit, 9)).toBe(5);
      await giveRate(db, "index", limit, 2);
      expect(await takeRate(db, "index", limit, 9)).toBe(2);
      await db.query("UPDATE control.rate_bucket SET updated_at = now() - interval '30 minutes'");
      expect(await takeRate(db, "index", limit, 9)).toBe(2);
      await db.query("UPDATE control.rate_bucket SET updated_at = now() - interval '9 hours'");
      expect(await takeRate(db, "index", limit, 9)).toBe(5);
    }));
});
