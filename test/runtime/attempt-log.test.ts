/** What handlers tell while they run: gathered, bounded, redacted, and never the reason why a job fails. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { fault, toFault } from "../../src/base/fault.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import type { HeldJob } from "../../src/job/job.js";
import type { Outcome } from "../../src/job/outcome.js";
import { AttemptLog, type AttemptLogDeps } from "../../src/runtime/attempt-log.js";
import type { Sql } from "../../src/store/database.js";
import { type Attempt, readAttempts } from "../../src/store/job-attempts.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { holdJob, holdNewJob } from "../support/held-job.js";
import { until } from "../support/until.js";

let at: TestDatabase;
beforeAll(async () => {
  at = await createTestDatabase();
});
afterAll(() => at.drop());

const COMPLETED: Outcome = { verdict: "completed", result: null };
/** Time passes for nobody: what is written was asked for. */
const still: Clock = {
  now: () => new Date(),
  sleep: (_ms, signal) =>
    new Promise((resolve) => {
      signal?.addEventListener("abort", () => resolve());
    }),
};

/** Counts its statements, and refuses them while `away`. */
class Line implements Sql {
  statements = 0;
  away = false;
  readonly query: Sql["query"] = (text, values) => {
    this.statements++;
    if (this.away) throw fault.transient("DATABASE_UNAVAILABLE", "database: nobody answers");
    return at.db.query(text, values);
  };
}

function attemptLog(wishes: Partial<AttemptLogDeps> = {}) {
  const db = new Line();
  const log = new AttemptLog({
    db,
    clock: still,
    log: silentLogger,
    redact: (text) => text.replaceAll("hunter2-hunter2", "[redacted]"),
    workerIdOf: (kind) => `${kind}-worker-7`,
    ...wishes,
  });
  return { db, log };
}

async function told(job: HeldJob): Promise<Attempt> {
  const [newest] = await readAttempts(at.db, job.seq);
  return newest!;
}

const messages = ({ lines }: Attempt) => lines.map(({ message }) => message);

describe("what costs nothing", () => {
  test("a success, a release and a wait without a word: no statement, no row", async () => {
    const { db, log } = attemptLog();
    const job = await holdNewJob(at.db);
    const { log: logger } = log.contextFor(job);
    logger.debug("page.read", { page: 1 });
    expect(log.ended(job, COMPLETED, 5)).toBeUndefined();
    expect(log.ended(job, { verdict: "released" }, 5)).toBeUndefined();
    const waits = fault.waiting("RATE_LIMITED", "later");
    expect(log.ended(job, { verdict: "faulted", fault: waits }, 5)).toBeUndefined();
    await log.stop();
    expect(db.statements).toBe(0);
    expect((await at.db.query("SELECT FROM control.job_attempt")).rowCount).toBe(0);
  });
});

describe("what a handler tells", () => {
  test("of many jobs goes into one statement: the newest progress, and the lines in order", async () => {
    const { db, log } = attemptLog();
    const jobs = [await holdNewJob(at.db), await holdNewJob(at.db), await holdNewJob(at.db)];
    for (const job of jobs) {
      const context = log.contextFor(job);
      for (let done = 1; done <= 430; done++) context.progress(done / 1000, `${done} of 1000`);
      context.log.warn("repo.unreadable", { repo: "alpha", why: "no such file" });
      context.log.child({ page: 2 }).info("page.read", { rows: [1, 2], of: new Error("x y") });
    }
    await log.flush();
    expect(db.statements).toBe(1);
    expect(await told(jobs[2]!)).toMatchObject({
      attempt: 1,
      workerId: "index-worker-7",
      outcome: "running",
      endedAt: null,
      error: null,
      progress: 0.43,
      note: "430 of 1000",
      linesLeftOut: 0,
      lines: [
        { level: "warn", message: 'repo.unreadable repo=alpha why="no such file"' },
        { level: "info", message: 'page.read page=2 rows=[ 1, 2 ] of="x y"' },
      ],
    });
  });

  test("is written within a second by itself, and goes on to the process's log", async () => {
    const written: string[] = [];
    const { log } = attemptLog({
      clock: systemClock,
      log: createLogger({
        ...{ level: "info", clock: systemClock, redact: (text) => text },
        write: (line) => written.push(line),
      }),
    });
    const job = await holdNewJob(at.db);
    log.contextFor(job).log.info("page.read", { page: 1 });
    await until(async () => (await told(job)).lines.length === 1, "the line is written");
    expect(JSON.parse(written[0]!)).toMatchObject({
      ...{ event: "page.read", job_id: job.id, job_type: "index", attempt: 1, page: 1 },
    });
    await log.stop();
  });

  test("is there when the job has ended, with what is said while it is undone", async () => {
    const { db, log } = attemptLog();
    const job = await holdNewJob(at.db);
    log.contextFor(job).log.info("act.done");
    const partial = fault.partial("HALF_DONE", "one of two is written");
    await log.ended(job, { verdict: "faulted", fault: partial }, 1_500);
    const { startedAt, endedAt, ...attempt } = await told(job);
    expect(attempt).toMatchObject({ outcome: "failed", error: { code: "HALF_DONE" } });
    expect(endedAt!.getTime()).toBeGreaterThanOrEqual(startedAt!.getTime());
    await log.flush();
    expect(db.statements).toBe(1);
    log.contextFor(job).log.info("act.undone");
    await log.stop();
    expect(await told(job)).toMatchObject({ outcome: "failed", endedAt });
    expect(messages(await told(job))).toEqual(["act.done", "act.undone"]);
    expect(db.statements).toBe(2);
  });

  test("is waited for by its own job alone: others that end meanwhile hold up nobody", async () => {
    const held = await holdNewJob(at.db);
    const open: (() => void)[] = [];
    const slow: Sql = {
      query: () => new Promise((resolve) => open.push(() => resolve({ rows: [], rowCount: 0 }))),
    };
    const { log } = attemptLog({ db: slow });
    const end = () => {
      const job = { ...held };
      log.contextFor(job).progress(1);
      return log.ended(job, COMPLETED, 3);
    };
    const first = end();
    await until(() => open.length === 1, "the first is being written");
    const others = Promise.all([end(), end()]);
    open[0]!();
    await first;
    await until(() => open.length === 2, "the others go into the next statement, together");
    open[1]!();
    await others;
  });

  test("late stands under its own attempt, not under the newer one", async () => {
    const { log } = attemptLog();
    const first = await holdNewJob(at.db);
    const early = log.contextFor(first);
    early.log.info("first.started");
    await log.flush();
    const second = await holdJob(at.db, first.seq);
    log.contextFor(second).log.info("second.started");
    early.log.info("first.late");
    early.progress(0.9);
    await log.flush();
    await log.ended(first, { verdict: "lost" }, 10);
    const attempts = await readAttempts(at.db, first.seq);
    expect(
      attempts.map(({ attempt, outcome, progress }) => ({ attempt, outcome, progress })),
    ).toEqual([
      { attempt: 2, outcome: "running", progress: null },
      { attempt: 1, outcome: "lost", progress: 0.9 },
    ]);
    expect(attempts.map(messages)).toEqual([["second.started"], ["first.started", "first.late"]]);
  });
});

describe("bounds", () => {
  test("two hundred lines, then a count; each of five hundred characters", async () => {
    const { log } = attemptLog();
    const job = await holdNewJob(at.db);
    const { log: logger } = log.contextFor(job);
    logger.info("page.read", { text: "x".repeat(600) });
    for (let page = 2; page <= 257; page++) logger.info("page.read", { page });
    await log.flush();
    const attempt = await told(job);
    expect(attempt.lines).toHaveLength(200);
    expect(attempt.linesLeftOut).toBe(57);
    expect(attempt.lines[0]!.message).toHaveLength(500);
    expect(attempt.lines[199]!.message).toBe("page.read page=200");
  });

  test("16 KiB an attempt: what comes after is counted, though it would fit", async () => {
    const { log } = attemptLog();
    const job = await holdNewJob(at.db);
    const { log: logger } = log.contextFor(job);
    for (let n = 0; n < 100; n++) logger.info("text.read", { text: "é".repeat(480) });
    logger.info("a.b");
    await log.flush();
    const attempt = await told(job);
    const bytes = Buffer.byteLength(messages(attempt).join(""));
    expect(bytes).toBeLessThanOrEqual(16 * 1024);
    expect(bytes).toBeGreaterThan(15 * 1024);
    expect(attempt.linesLeftOut).toBe(101 - attempt.lines.length);
    expect(messages(attempt)).not.toContain("a.b");
  });

  test("secrets are taken out before a text is cut, and what no text can hold is left out", async () => {
    const { log } = attemptLog();
    const job = await holdNewJob(at.db);
    const context = log.contextFor(job);
    context.log.info("a.b", { text: `${"x".repeat(485)}hunter2-hunter2` });
    context.log.info("a.b", { text: "nul\u0000 half\ud83d." });
    context.progress(7, "at hunter2-hunter2");
    await log.flush();
    const attempt = await told(job);
    expect(messages(attempt).join("")).not.toContain("hunter2");
    expect(messages(attempt)[1]).toMatch(/nul.* half/);
    expect(attempt).toMatchObject({ progress: 1, note: "at [redacted]" });
    context.progress(Number.NaN);
    await log.flush();
    expect((await told(job)).progress).toBe(0);
  });
});

describe("why it failed", () => {
  test("has the sentence, and where it and its cause were thrown, cut and redacted", async () => {
    const { log } = attemptLog();
    const job = await holdNewJob(at.db);
    const deep = new Error("cannot read hunter2-hunter2");
    const thrown = toFault(new Error("the page is gone", { cause: deep }));
    await log.ended(job, { verdict: "faulted", fault: thrown }, 3);
    const { error } = await told(job);
    expect(error).toMatchObject({ code: "UNEXPECTED", message: "the page is gone" });
    const lines = error!.trace!.split("\n");
    expect(lines[0]).toBe("Error: the page is gone");
    expect(lines[1]).toMatch(/^ +at .*attempt-log\.test\.ts:\d+:\d+\)?$/);
    expect(error!.trace).toContain("\ncaused by Error: cannot read [redacted]\n");
    expect(error!.trace!.length).toBeLessThanOrEqual(4_096);
  });
});

describe("when the database is away", () => {
  test("an end waits no longer than it must, and everything is written once when it is back", async () => {
    const { db, log } = attemptLog({ clock: { ...still, sleep: async () => {} } });
    const job = await holdNewJob(at.db);
    db.away = true;
    const context = log.contextFor(job);
    context.log.info("page.read", { page: 1 });
    await log.ended(job, COMPLETED, 3);
    await log.stop();
    expect(db.statements).toBeGreaterThan(1);
    db.away = false;
    await log.flush();
    await log.flush();
    expect(await told(job)).toMatchObject({ lines: [{ message: "page.read page=1" }] });
  });

  test("the oldest lines give way, and are counted", async () => {
    const { db, log } = attemptLog();
    db.away = true;
    const held = await holdNewJob(at.db);
    const many = Array.from({ length: 102 }, () => ({ kind: "index", payload: {} }));
    const jobs = (await enqueueJobs(at.db, many)).map(({ seq, id }) => ({ ...held, seq, id }));
    for (const job of jobs) {
      const { log: logger } = log.contextFor(job);
      for (let page = 1; page <= 200; page++) logger.info("page.read", { page });
    }
    await log.flush();
    db.away = false;
    await log.flush();
    expect(await told(jobs[0]!)).toMatchObject({ lines: [], linesLeftOut: 200 });
    expect(await told(jobs[1]!)).toMatchObject({ lines: [], linesLeftOut: 200 });
    expect(await told(jobs[2]!)).toMatchObject({ linesLeftOut: 0 });
    expect((await told(jobs[101]!)).lines).toHaveLength(200);
  });

  test("a statement that it refuses is not repeated for ever", async () => {
    let statements = 0;
    const refusing: Sql = {
      query: () => {
        statements++;
        throw fault.transient("DATABASE_ERROR", "database: no such table");
      },
    };
    const { log } = attemptLog({ db: refusing });
    const job = await holdNewJob(at.db);
    log.contextFor(job).log.info("page.read");
    await log.flush();
    await log.flush();
    expect(statements).toBe(1);
  });
});
