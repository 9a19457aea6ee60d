import { describe, expect, test } from "vitest";
import type { Database, Sql } from "../../src/store/database.js";
import {
  enqueueNotice,
  hasEarlierNotice,
  isNoticeTold,
  listNotices,
  listSentSince,
  markNoticeDead,
  markNoticeFailed,
  markNoticeSent,
  readNotice,
} from "../../src/store/notices.js";
import { withDatabase } from "../support/database.js";
import { makeNotice } from "../support/make-notice.js";

const NOW = new Date("2026-01-28T03:00:00.000Z");
const EARLIER = new Date(NOW.getTime() - 1);

const enqueue = (sql: Sql, overrides: Parameters<typeof makeNotice>[0] = {}) =>
  enqueueNotice(sql, makeNotice(overrides));
const jobsOf = async (db: Database) =>
  (await db.query("SELECT job_type, payload, priority FROM jobs ORDER BY seq")).rows;

describe("enqueue", () => {
  test("writes the notice and the job that sends it", () =>
    withDatabase(async (db) => {
      const id = await db.transaction((tx) => enqueue(tx));
      expect(await readNotice(db, id)).toMatchObject({
        ...makeNotice(),
        id,
        status: "pending",
        attempts: 0,
      });
      expect(await jobsOf(db)).toEqual([
        { job_type: "notice", payload: { notice_id: id }, priority: 8 },
      ]);
    }));

  test("leaves neither behind when what caused it is rolled back", () =>
    withDatabase(async (db) => {
      const failed = db.transaction(async (tx) => {
        await enqueue(tx);
        throw new Error("rolled back");
      });
      await expect(failed).rejects.toThrow("rolled back");
      expect(await listNotices(db, { limit: 10 })).toEqual([]);
      expect(await jobsOf(db)).toEqual([]);
    }));

  test("a page overtakes news", () =>
    withDatabase(async (db) => {
      for (const severity of ["sev4", "sev1"] as const) await enqueue(db, { severity });
      expect(await jobsOf(db)).toMatchObject([{ priority: 3 }, { priority: 10 }]);
    }));

  test("an unknown notice is null", () =>
    withDatabase(async (db) => expect(await readNotice(db, 999)).toBeNull()));
});

describe("settling", () => {
  test("sent marks reference and time, once", () =>
    withDatabase(async (db) => {
      const id = await enqueue(db);
      await markNoticeFailed(db, id, { error: "SLACK_TIMED_OUT", tried: true });
      expect(await markNoticeSent(db, id, { reference: "#ops/1", at: NOW })).toBe(true);
      expect(await markNoticeSent(db, id, { reference: "#ops/2", at: NOW })).toBe(false);
      expect(await readNotice(db, id)).toMatchObject({
        status: "sent",
        attempts: 2,
        reference: "#ops/1",
        sentAt: NOW,
        lastError: null,
      });
    }));

  test("waiting counts no attempt, and shows why", () =>
    withDatabase(async (db) => {
      const id = await enqueue(db);
      await markNoticeFailed(db, id, { error: "slack is not configured", tried: false });
      expect(await readNotice(db, id)).toMatchObject({
        status: "pending",
        attempts: 0,
        lastError: "slack is not configured",
      });
    }));

  test("a dead letter stays dead and is listed", () =>
    withDatabase(async (db) => {
      const id = await enqueue(db);
      await markNoticeDead(db, id, "refused");
      expect(await markNoticeSent(db, id, { reference: null, at: NOW })).toBe(false);
      expect(await listNotices(db, { status: "dead", limit: 10 })).toMatchObject([
        { id, lastError: "refused" },
      ]);
      expect(await listNotices(db, { status: "sent", limit: 10 })).toEqual([]);
    }));
});

describe("order and limits", () => {
  test("a resolve has an earlier notice until its trigger is sent or dead; other troubles do not count", () =>
    withDatabase(async (db) => {
      const first = await enqueue(db);
      const other = await enqueue(db, { dedupKey: "other" });
      const elsewhere = await enqueue(db, { receiver: "pagerduty" });
      const last = await enqueue(db, { action: "resolve" });
      const waits = async (id: number) => hasEarlierNotice(db, (await readNotice(db, id))!);
      expect(await Promise.all([first, other, elsewhere, last].map(waits))).toEqual([
        false,
        false,
        false,
        true,
      ]);
      await markNoticeSent(db, first, { reference: null, at: NOW });
      expect(await waits(last)).toBe(false);
    }));

  test("the two lanes of a receiver are counted apart", () =>
    withDatabase(async (db) => {
      for (const severity of ["sev1", "sev2", "sev3"] as const) {
        const id = await enqueue(db, { severity });
        await markNoticeSent(db, id, { reference: null, at: NOW });
      }
      const sent = (critical: boolean, since: Date) =>
        listSentSince(db, { receiver: "ops", critical }, since, 10);
      expect(await sent(true, EARLIER)).toEqual([NOW]);
      expect(await sent(false, EARLIER)).toEqual([NOW, NOW]);
      expect(await sent(false, NOW)).toEqual([]);
    }));

  test("a trouble is told while it is pending, and for a while after it was sent", () =>
    withDatabase(async (db) => {
      const notice = makeNotice();
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(false);
      const id = await enqueue(db);
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(true);
      await markNoticeSent(db, id, { reference: null, at: NOW });
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(true);
      expect(await isNoticeTold(db, notice, NOW)).toBe(false);
    }));

  test("a trouble that was taken back is news again, however soon", () =>
    withDatabase(async (db) => {
      const notice = makeNotice();
      await markNoticeSent(db, await enqueue(db), { reference: null, at: NOW });
      await enqueue(db, { receiver: "other", action: "resolve" });
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(true);
      await enqueue(db, { action: "resolve" });
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(false);
      await enqueue(db);
      expect(await isNoticeTold(db, notice, EARLIER)).toBe(true);
    }));
});
