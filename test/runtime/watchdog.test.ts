import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { systemClock } from "../../src/base/clock.js";
import { CALM, judgeAge, type WatchdogReport, watchdogTick } from "../../src/runtime/watchdog.js";
import type { Database } from "../../src/store/database.js";
import { noteSign } from "../../src/store/signs-of-life.js";
import { withDatabase } from "../support/database.js";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 28, 12, 0, seconds));
const check = { maxAgeMs: 45_000, forMs: 30_000 };

describe("judgeAge", () => {
  it("is calm up to the limit", () => {
    expect(judgeAge(check, 45_000, CALM, at(0))).toEqual(CALM);
  });

  it("fires when the age was too great for its whole time, not before", () => {
    const first = judgeAge(check, 46_000, CALM, at(0));
    expect(first).toEqual({ breachedSince: at(-1), firing: false });
    expect(judgeAge(check, 74_000, first, at(28)).firing).toBe(false);
    expect(judgeAge(check, 75_000, first, at(29)).firing).toBe(true);
  });

  it("counts nothing that it did not watch: a machine that slept wakes up calm", () => {
    const first = judgeAge(check, 8 * 3_600_000, CALM, at(0));
    expect(first).toEqual({ breachedSince: at(-5), firing: false });
  });

  it("resolves with the first good look", () => {
    expect(judgeAge(check, 10, { breachedSince: at(0), firing: true }, at(40))).toEqual(CALM);
  });
});

const ago = (ageS: number) => new Date(Date.now() - ageS * 1_000);
const beat = (db: Database, ageS: number) => noteSign(db, "heartbeat", ago(ageS));

function dog(db: Database, holder: string, told: WatchdogReport[], clock: Clock = systemClock) {
  const report = async (one: WatchdogReport) => void told.push(one);
  return watchdogTick({ db, clock, emit: () => {}, holder, report });
}

const signal = new AbortController().signal;

describe("the watchdogs of two processes", () => {
  it("see the same silence, and one of them tells it, and its end (AR-05)", async () => {
    await withDatabase(async (db) => {
      await beat(db, 61);
      const told: WatchdogReport[] = [];
      const dogs = [dog(db, "a", told), dog(db, "b", told)];
      for (const one of dogs) await one.run(new Date(), signal);
      for (const one of dogs) await one.run(new Date(), signal);
      expect(told.map(({ check: { id }, action }) => [id, action])).toEqual([["AR-05", "trigger"]]);
      await beat(db, 0);
      for (const one of dogs) await one.run(new Date(), signal);
      expect(told.map(({ action }) => action)).toEqual(["trigger", "resolve"]);
    });
  });

  it("do not call a system dead that has only just started", async () => {
    await withDatabase(async (db) => {
      const told: WatchdogReport[] = [];
      const young = dog(db, "a", told);
      await young.run(new Date(Date.now() + 50_000), signal);
      expect(told).toEqual([]);
      await young.run(new Date(Date.now() + 61_000), signal);
      expect(told.map(({ check: { id } }) => id)).toEqual(["AR-05"]);
    });
  });
});
