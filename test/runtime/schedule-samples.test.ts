/** What the samples say of schedules: how many of its own periods each has gone without a successful run. */
import { describe, expect, it } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import { periodsBetween, schedulesSource } from "../../src/runtime/sample/schedules.js";
import type { Database } from "../../src/store/database.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { insertSamples } from "../../src/store/samples.js";
import { claimScheduleRun, noteScheduledJob } from "../../src/store/schedules.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

const at = (text: string) => new Date(`2026-01-28T${text}Z`).getTime();
const HOURLY = { cron: "5 * * * *", timeZone: "UTC" };
const OFFICE = { cron: "*/5 9-17 * * 1-5", timeZone: "UTC" };

describe("periods of a schedule between two moments", () => {
  it.each([
    ["half of one", HOURLY, at("12:05:00"), at("12:35:00"), 0.5],
    ["a part at both ends", HOURLY, at("12:35:00"), at("13:20:00"), 0.75],
    ["exactly one", HOURLY, at("12:05:00"), at("13:05:00"), 1],
    ["three", HOURLY, at("12:05:00"), at("15:05:00"), 3],
    ["a moment before one begins", HOURLY, at("12:04:59.500"), at("12:05:00"), 0.5 / 3600],
    ["none backwards", HOURLY, at("13:05:00"), at("12:05:00"), 0],
    // From Wednesday's last run at 17:55 to Thursday's first at 9:00 is one, however long it is.
    ["a night", OFFICE, at("17:55:00"), at("17:55:00") + 15 * HOUR_MS + 10 * MINUTE_MS, 2],
  ])("%s", (_what, schedule, from, to, expected) => {
    expect(periodsBetween(schedule, from, to)).toBeCloseTo(expected, 9);
  });

  it("are counted up to where they are far too many", () => {
    expect(periodsBetween(HOURLY, at("00:00:00"), at("00:00:00") + 900 * DAY_MS)).toBeLessThan(12);
  });
});

const NAME = "hourly-maintenance";
const METRIC = "algobrain.schedule.periods_since_success";
const policy = makePolicy({
  schedules: [{ ...HOURLY, name: NAME, kind: "maintenance", payload: {}, missed: "skip" }],
});

/** Looks each minute, both ends included; the last value. */
async function lookFrom(
  source: ReturnType<typeof schedulesSource>,
  fromMs: number,
  toMs: number,
): Promise<number | undefined> {
  let last: number | undefined;
  for (let ms = fromMs; ms <= toMs; ms += MINUTE_MS) {
    const [sample] = await source.collect(new Date(ms));
    last = sample?.value;
  }
  return last;
}

/** The schedule's newest job, with this status since so long ago. */
async function runIs(db: Database, status: string, agoMs = 0): Promise<void> {
  const { seq } = await enqueueJob(db, { kind: "maintenance", payload: {} });
  await db.query("UPDATE jobs SET status = $2 WHERE seq = $1", [seq, status]);
  await db.query(
    "UPDATE jobs SET completed_at = now() - $2 * interval '1 ms' WHERE seq = $1 AND completed_at IS NOT NULL",
    [seq, agoMs],
  );
  await claimScheduleRun(db, { name: NAME, dueAt: new Date(Date.now() + seq * MINUTE_MS) });
  await noteScheduledJob(db, { name: NAME, jobSeq: seq });
}

const sourceOf = (db: Database) => schedulesSource({ sql: db, policy: () => policy });

describe("samples of schedules", () => {
  it("begin at none, grow while runs fail, and are small again after a success", () =>
    withDatabase(async (db) => {
      const source = sourceOf(db);
      expect(await lookFrom(source, at("12:05:00"), at("12:05:00"))).toBe(0);
      await runIs(db, "failed");
      expect(await lookFrom(source, at("12:06:00"), at("14:35:00"))).toBeCloseTo(2.5, 6);
      await runIs(db, "completed", 6 * MINUTE_MS);
      expect(await lookFrom(source, at("14:35:00"), at("14:35:00"))).toBeCloseTo(0.1, 2);
    }));

  it("go on where the process before left off, and do not count the time in which nobody looked", () =>
    withDatabase(async (db) => {
      const before = { metric: METRIC, labels: { schedule: NAME }, value: 1.5 };
      await insertSamples(db, [{ ...before, at: new Date(at("12:05:00")) }]);
      expect(await lookFrom(sourceOf(db), at("12:06:00"), at("12:35:00"))).toBeCloseTo(2, 6);
      expect(await lookFrom(sourceOf(db), at("23:05:00"), at("23:05:00"))).toBeCloseTo(1.5, 6);
    }));

  it("forget a schedule that the policy no longer has", () =>
    withDatabase(async (db) => {
      await runIs(db, "failed");
      const source = schedulesSource({ sql: db, policy: () => makePolicy() });
      expect(await source.collect(new Date(at("12:05:00")))).toEqual([]);
    }));
});
