import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Schedule } from "../../src/policy/policy.js";
import { decideSchedule, runSchedulesStep } from "../../src/runtime/tick/run-schedules.js";
import { listJobs } from "../../src/store/job-list.js";
import { listScheduleRuns } from "../../src/store/schedules.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

const at = (text: string) => new Date(`2026-01-28T${text}Z`);
const hourly = { cron: "5 * * * *", timeZone: "UTC", missed: "once" } as const;

const cases: readonly {
  says: string;
  schedule?: Partial<Schedule>;
  last: Date | null;
  now: Date;
  what: string;
  dueAt?: Date;
}[] = [
  {
    says: "a new schedule waits for its next time",
    last: null,
    now: at("12:00:00"),
    what: "pass-over",
    dueAt: at("12:00:00"),
  },
  { says: "before its time it waits", last: at("11:05:00"), now: at("12:04:59"), what: "wait" },
  {
    says: "at its time it runs",
    last: at("11:05:00"),
    now: at("12:05:03"),
    what: "enqueue",
    dueAt: at("12:05:00"),
  },
  {
    says: "what was dealt with does not run again",
    last: at("12:05:00"),
    now: at("12:05:08"),
    what: "wait",
  },
  {
    says: "all that was missed runs once",
    last: at("03:05:00"),
    now: at("12:30:00"),
    what: "enqueue",
    dueAt: at("12:05:00"),
  },
  {
    says: "all that was missed is passed over when the policy says skip",
    schedule: { missed: "skip" },
    last: at("03:05:00"),
    now: at("12:30:00"),
    what: "pass-over",
    dueAt: at("12:05:00"),
  },
  {
    says: "skip does not skip what is merely a few seconds late",
    schedule: { missed: "skip" },
    last: at("11:05:00"),
    now: at("12:05:30"),
    what: "enqueue",
    dueAt: at("12:05:00"),
  },
  {
    says: "the time zone of the schedule counts",
    schedule: { cron: "0 9 * * *", timeZone: "Asia/Tokyo" },
    last: new Date("2026-01-27T00:00:00Z"),
    now: at("00:00:10"),
    what: "enqueue",
    dueAt: at("00:00:00"),
  },
];

describe("decideSchedule", () => {
  it.each(cases)("$says", ({ schedule, last, now, what, dueAt }) => {
    expect(decideSchedule({ ...hourly, ...schedule }, last, now)).toEqual(
      dueAt === undefined ? { what } : { what, dueAt },
    );
  });
});

describe("run-schedules", () => {
  it("enqueues each due run once, whoever leads", async () => {
    await withDatabase(async (db) => {
      const schedule: Schedule = { ...hourly, name: "hourly-gc", kind: "gc", payload: {} };
      const policy = () => makePolicy({ schedules: [schedule] });
      const leader = () => runSchedulesStep({ db, policy, emit: () => {} });
      const signal = new AbortController().signal;
      await leader().run(at("11:59:00"), signal);
      expect(await listJobs(db, { limit: 10 })).toEqual([]);
      await Promise.all([
        leader().run(at("12:05:01"), signal),
        leader().run(at("12:05:01"), signal),
      ]);
      await leader().run(at("12:05:06"), signal);
      const jobs = await listJobs(db, { limit: 10 });
      expect(jobs).toMatchObject([{ kind: "gc", payload: {}, status: "pending" }]);
      expect(await listScheduleRuns(db)).toEqual([
        { name: "hourly-gc", lastDueAt: at("12:05:00"), jobSeq: jobs[0]!.seq },
      ]);
    });
  });

  it("asks the database only when something may be due", async () => {
    await withDatabase(async (db) => {
      const schedule: Schedule = { ...hourly, name: "hourly-gc", kind: "gc", payload: {} };
      const policy = makePolicy({ schedules: [schedule] });
      let asked = 0;
      const query: typeof db.query = (...statement) => {
        asked += 1;
        return db.query(...statement);
      };
      const step = runSchedulesStep({
        ...{ db: { ...db, query }, policy: () => policy, emit: () => {} },
      });
      const run = async (time: string) => {
        asked = 0;
        await step.run(at(time), new AbortController().signal);
        return asked > 0;
      };
      expect(await run("12:04:50")).toBe(true);
      expect(await run("12:04:59")).toBe(false);
      expect(await run("12:05:00")).toBe(false);
      expect(await run("12:05:01")).toBe(true);
      expect(await listJobs(db, { limit: 10 })).toHaveLength(1);
      expect(await run("12:05:15")).toBe(false);
      expect(await run("12:05:16")).toBe(true);
      // The clock was set back.
      expect(await run("11:00:00")).toBe(true);
    });
  });

  it("is not led astray by a leader whose clock is a day ahead", async () => {
    await withDatabase(async (db) => {
      const schedule: Schedule = { ...hourly, name: "hourly-gc", kind: "gc", payload: {} };
      const policy = () => makePolicy({ schedules: [schedule] });
      await db.query(
        "INSERT INTO control.schedule_run VALUES ('hourly-gc', now() - interval '3 hours')",
      );
      const step = runSchedulesStep({ db, policy, emit: () => {} });
      const tomorrow = new Date(systemClock.now().getTime() + 86_400_000);
      await step.run(tomorrow, new AbortController().signal);
      expect(await listJobs(db, { limit: 10 })).toHaveLength(1);
      const { rows } = await db.query<{ ahead: boolean }>(
        "SELECT last_due_at > now() AS ahead FROM control.schedule_run",
      );
      expect(rows).toEqual([{ ahead: false }]);
    });
  });

  it("goes on with its next time where a wrong clock has noted a run of the future", async () => {
    await withDatabase(async (db) => {
      const schedule: Schedule = { ...hourly, name: "hourly-gc", kind: "gc", payload: {} };
      const policy = () => makePolicy({ schedules: [schedule] });
      await db.query(
        "INSERT INTO control.schedule_run VALUES ('hourly-gc', now() + interval '1 year')",
      );
      const step = runSchedulesStep({ db, policy, emit: () => {} });
      await step.run(systemClock.now(), new AbortController().signal);
      const { rows } = await db.query<{ ahead: boolean }>(
        "SELECT last_due_at > now() AS ahead FROM control.schedule_run",
      );
      expect(rows).toEqual([{ ahead: false }]);
    });
  });
});
