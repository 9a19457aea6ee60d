import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { systemClock } from "../../src/base/clock.js";
import { CALM, judgeAge, type WatchdogReport, watchdogTick } from "../../src/runtime/watchdog.js";
import type { Database } from "../../src/store/database.js";
import { insertSamples } from "../../src/store/samples.js";
import { noteSign, readSigns } from "../../src/store/signs-of-life.js";
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

type Ages = Readonly<Record<"heartbeat" | "samples" | "evaluator", number>>;

async function setSigns(db: Database, agesS: Ages): Promise<void> {
  for (const [name, ageS] of Object.entries(agesS)) {
    await db.query(
      `INSERT INTO control.sign_of_life (name, at) VALUES ($1, now() - $2 * interval '1 s')
       ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
      [name, ageS],
    );
  }
}

/** Looks each 5 s, from `firstLookS` after the end of what is named; answers how long after it this is told. */
async function noticedAfter(
  db: Database,
  stopped: keyof Ages,
  firstLookS: number,
): Promise<{ id: string; seconds: number } | null> {
  const told: WatchdogReport[] = [];
  const endedAt = Date.now();
  const watching = dog(db, `dog ${stopped} ${firstLookS}`, told);
  for (let seconds = firstLookS; seconds <= 120; seconds += 5) {
    await setSigns(db, { heartbeat: 1, samples: 14, evaluator: 15, [stopped]: seconds });
    await watching.run(new Date(endedAt + seconds * 1_000), signal);
    if (told.length > 0) return { id: told[0]!.check.id, seconds };
  }
  return null;
}

describe("the death of a loop is noticed by another process, with at least 10 s left to tell it", () => {
  it.each([
    ["heartbeat", "AR-05", 65],
    ["evaluator", "AR-36", 80],
    ["samples", "AR-36", 80],
  ] as const)("%s: %s within %i s, whenever it looks", async (stopped, id, limitS) => {
    await withDatabase(async (db) => {
      const found = [];
      for (const firstLookS of [0, 0.1, 2.5, 4.9]) {
        found.push(await noticedAfter(db, stopped, firstLookS));
        await db.query("DELETE FROM control.lease");
      }
      expect(found.map((one) => one?.id)).toEqual([id, id, id, id]);
      expect(Math.max(...found.map((one) => one!.seconds))).toBeLessThanOrEqual(limitS);
      expect(Math.min(...found.map((one) => one!.seconds))).toBeGreaterThan(limitS - 6);
    });
  });

  it("nothing is noticed of a runtime that works", async () => {
    await withDatabase(async (db) => {
      const told: WatchdogReport[] = [];
      const watching = dog(db, "a", told);
      for (let seconds = 0; seconds <= 120; seconds += 5) {
        await setSigns(db, { heartbeat: 2, samples: 30, evaluator: 44 });
        await watching.run(new Date(Date.now() + seconds * 1_000), signal);
      }
      expect(told).toEqual([]);
    });
  });
});

describe("beside the version before", () => {
  const series = (db: Database, metric: string) =>
    insertSamples(db, [{ metric, labels: {}, at: new Date(), value: 3 }], "leader");

  it("its rows count as signs of life while ours are old", async () => {
    await withDatabase(async (db) => {
      await setSigns(db, { heartbeat: 300, samples: 300, evaluator: 300 });
      await series(db, "algobrain.orchestrator.heartbeat");
      await series(db, "algobrain.workers.alive");
      await db.query(
        "INSERT INTO control.sample (series_id, at, value) SELECT id, now(), 1 FROM control.series",
      );
      await db.query(
        "INSERT INTO control.alert_state (rule, instance, state, updated_at) VALUES ('a', 'all', '{}', now())",
      );
      const ages = await readSigns(db);
      expect(Math.max(ages.heartbeatMs!, ages.samplesMs!, ages.evaluatorMs!)).toBeLessThan(60_000);
    });
  });

  it("it finds ours in the rows that it reads: one in 15 s, with the value of the round", async () => {
    await withDatabase(async (db) => {
      const slot = new Date(Date.now() - (Date.now() % 15_000));
      const plus = (ms: number) => new Date(slot.getTime() + ms);
      const sample = { metric: "algobrain.workers.alive", labels: {}, at: slot, value: 3 };
      await insertSamples(db, [sample], "leader");
      for (const ms of [10, 1_000, 14_999]) await noteSign(db, "samples", plus(ms));
      await insertSamples(db, [{ ...sample, at: plus(15_000), value: 4 }], "leader");
      await noteSign(db, "samples", plus(15_010));
      const { rows } = await db.query("SELECT at, value FROM control.sample ORDER BY at");
      expect(rows).toEqual([
        { at: slot, value: 3 },
        { at: plus(15_000), value: 4 },
      ]);
    });
  });
});
