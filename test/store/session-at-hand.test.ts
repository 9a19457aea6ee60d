/** The session that stays at hand is used at once, kept from nobody, and given up when it may be dead. */
import { once } from "node:events";
import pg from "pg";
import { expect, test } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.js";
import { SessionAtHand } from "../../src/store/session-at-hand.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";

const options = { poolMax: 1, applicationName: "test-at-hand", ssl: false };
const PID = "SELECT pg_backend_pid() AS pid";
const END =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-at-hand'";

/** Of a pool of one. */
async function withSmall(
  url: string,
  work: (small: Database) => Promise<void>,
  onIdleError?: (error: Error) => void,
): Promise<void> {
  const small = openDatabase({ ...options, url, ...(onIdleError ? { onIdleError } : {}) });
  try {
    await work(small);
  } finally {
    await small.close();
  }
}

test("statements one after the other go out on one session, and a transaction takes it too", () =>
  withDatabase(async (_db, url) => {
    await withSmall(url, async (small) => {
      const alone = await small.query(PID);
      expect((await small.query(PID)).rows).toEqual(alone.rows);
      expect((await small.transaction((tx) => tx.query(PID))).rows).toEqual(alone.rows);
      expect((await small.query(PID)).rows).toEqual(alone.rows);
    });
  }));

test("all who ask at once are served by a pool of one, statements and transactions", () =>
  withDatabase(async (_db, url) => {
    await withSmall(url, async (small) => {
      const all = Array.from({ length: 60 }, (_, i) =>
        i % 3 === 0 ? small.transaction((tx) => tx.query(PID)) : small.query(PID),
      );
      expect(new Set((await Promise.all(all)).map(({ rows }) => JSON.stringify(rows))).size).toBe(
        1,
      );
    });
  }));

test("one that is cut while nobody uses it is told once, and the next statement gets another", () =>
  withDatabase(async (db, url) => {
    const told: string[] = [];
    const onIdleError = (error: Error) => told.push(error.message);
    await withSmall(
      url,
      async (small) => {
        for (let round = 1; round <= 3; round++) {
          await small.query("SELECT 1");
          await db.query(END);
          await until(() => told.length === round, "the loss is told");
          expect((await small.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
        }
        expect(told).toHaveLength(3);
      },
      onIdleError,
    );
  }));

test("one that a statement failed on is not used again", () =>
  withDatabase(async (_db, url) => {
    await withSmall(url, async (small) => {
      const before = await small.query(PID);
      await expect(small.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "DATABASE_ERROR" });
      expect((await small.query(PID)).rows).not.toEqual(before.rows);
    });
  }));

test("a statement under way when all is closed is answered first", () =>
  withDatabase(async (_db, url) => {
    const small = openDatabase({ ...options, url });
    await small.query("SELECT 1");
    const slow = small.query("SELECT pg_sleep(0.2), 1 AS one");
    await small.close();
    expect((await slow).rows).toMatchObject([{ one: 1 }]);
  }));

test("one that nobody has used for too long is ended, for it may be dead without a word", () =>
  withDatabase(async (_db, url) => {
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    const sessions = new SessionAtHand(pool, 0, () => {});
    const first = await sessions.take();
    const ended = once(first, "end");
    sessions.put(first);
    const second = await sessions.take();
    expect(second).not.toBe(first);
    await ended;
    sessions.put(second);
    await sessions.end();
  }));
