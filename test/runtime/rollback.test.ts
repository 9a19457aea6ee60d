/** A rollback that its worker did not survive is finished before anything else happens to its job. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { HeldJob } from "../../src/job/job.js";
import { type RecoverDeps, recoverWorker } from "../../src/runtime/recover.js";
import { declareCompensation } from "../../src/store/compensations.js";
import type { Database } from "../../src/store/database.js";
import { cancelJob, retryJob } from "../../src/store/job-actions.js";
import { countBulk, runBulk } from "../../src/store/job-bulk.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { beginRollback, checkpointRollback, readRollbacks } from "../../src/store/job-rollbacks.js";
import { rescheduleJob } from "../../src/store/job-settle.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { deleteJobs } from "../../src/store/retention.js";
import { beatWorker, registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { RESET } from "../support/handbook-sql.js";
import { until } from "../support/until.js";
import { makePolicy } from "./support/policy.js";
import { type TestKind, withWorker } from "./support/worker.js";

const CAUSE = fault.partial("HALF_DONE", "stopped before step 4");
const policy = makePolicy({ kinds: [{ kind: "index", attemptsMax: 1 }] });
const STEPS = [1, 2, 3];
const none = { safeModeKinds: [] };

function deps(db: Database): RecoverDeps {
  return {
    ...{ db, clock: systemClock, policy: () => policy, random: () => 0.5 },
    ...{ emit: () => {}, notify: async () => {} },
  };
}

/** A process that lives in its rows alone. */
async function claimed(db: Database): Promise<{ readonly id: string; readonly job: HeldJob }> {
  const { id } = await registerWorker(db, {
    ...{ lane: "general", kinds: ["index"], hostname: "h", pid: 1 },
  });
  const kinds = [{ kind: "index", free: 1 }];
  const [job] = await claimJobs(db, { ...none, workerId: id, kinds, max: 1 });
  expect(job).toBeDefined();
  await beatWorker(db, id, [job!.seq]);
  return { id, job: job! };
}

/** Dies when the third of three acts is undone. */
async function dieInRollback(db: Database): Promise<number> {
  await enqueueJob(db, { kind: "index", payload: {} });
  const { id, job } = await claimed(db);
  for (const step of STEPS) {
    await declareCompensation(db, { jobSeq: job.seq, name: `undo-${step}`, input: { step } });
  }
  expect(await beginRollback(db, job, CAUSE)).toBe(true);
  expect(await checkpointRollback(db, job, 3)).toBe(true);
  await recoverWorker(id, deps(db));
  return job.seq;
}

function telling(): { readonly kind: TestKind; readonly told: string[] } {
  const told: string[] = [];
  const undo = async (input: { step?: unknown }) => void told.push(`undo ${input.step}`);
  const run = async () => {
    told.push("run");
    return null;
  };
  const compensations = Object.fromEntries(STEPS.map((step) => [`undo-${step}`, undo]));
  return { told, kind: { kind: "index", run, compensations } };
}

/** What handlers told until the job was `failed`, and once more after a person's retry. */
async function expectFinished(db: Database, url: string, seq: number): Promise<void> {
  const { kind, told } = telling();
  await withWorker({ db, url }, { handlers: [kind] }, async ({ seen, words }) => {
    const { id } = (await readJob(db, seq))!;
    await seen("job.failed", id);
    expect(told).toEqual(["undo 2", "undo 1"]);
    expect((await readJob(db, seq))?.error).toBe("HALF_DONE: stopped before step 4");
    expect(words).toEqual([]);
    expect(await readRollbacks(db, [seq])).toEqual(new Map());
    expect(await retryJob(db, { seq, actor: "cli:ann" })).toMatchObject({ outcome: "retried" });
    await seen("job.completed", id);
    expect(told).toEqual(["undo 2", "undo 1", "run"]);
  });
}

const retry = (db: Database, seq: number) => retryJob(db, { seq, actor: "cli:ann" });

async function quarantineByDeaths(db: Database, seq: number): Promise<void> {
  for (const death of [2, 3]) {
    const { id, job } = await claimed(db);
    expect([job.seq, job.crashCount, job.attempt], `death ${death}`).toEqual([seq, death - 1, 1]);
    await recoverWorker(id, deps(db));
  }
  expect(await readJob(db, seq)).toMatchObject({
    status: "quarantined",
    error:
      "WORKER_DIED: the worker process died while the job was rolled back alone (left to undo: undo-2, undo-1)" +
      " after HALF_DONE: stopped before step 4; charged with 3 deaths",
  });
}

const INTERRUPTED: readonly {
  readonly says: string;
  readonly then: (db: Database, seq: number) => Promise<unknown>;
}[] = [
  { says: "at once, though its kind may be tried once only", then: async () => {} },
  {
    says: "also when a person retries what was quarantined for killing its workers",
    then: async (db, seq) => {
      await quarantineByDeaths(db, seq);
      await retry(db, seq);
    },
  },
  {
    says: "also when a retry in bulk takes up what was quarantined",
    then: async (db, seq) => {
      await quarantineByDeaths(db, seq);
      const filter = { status: "quarantined" } as const;
      const confirmed = await countBulk(db, { action: "retry", filter });
      await runBulk(db, {
        ...{ action: "retry", filter, asked: {}, confirmed, actor: "cli:ann", reason: "again" },
        ...{ startAt: systemClock.now(), spacingMs: 0, isOver: () => false },
      });
    },
  },
  {
    says: "also when it was cancelled and is wanted again",
    then: async (db, seq) => {
      await cancelJob(db, { seq, actor: "cli:ann", reason: "not wanted" });
      await retry(db, seq);
    },
  },
  {
    says: "also after an operator's plain SQL",
    then: (db, seq) => db.query(RESET.replace(/job-\d+/, `job-${seq}`)),
  },
];

describe("a rollback that its worker did not survive is finished before the handler runs", () => {
  it.each(INTERRUPTED)("$says", ({ then }) =>
    withDatabase(async (db, url) => {
      const seq = await dieInRollback(db);
      await then(db, seq);
      await expectFinished(db, url, seq);
    }),
  );

  it("by a version that no longer knows the compensations too: people are told", () =>
    withDatabase(async (db, url) => {
      const seq = await dieInRollback(db);
      const run = async () => "ran";
      await withWorker({ db, url }, { handlers: [{ kind: "index", run }] }, async (worker) => {
        const { error } = await worker.seen("job.failed", `job-${seq}`);
        const why = "the handler no longer knows it";
        expect(error).toBe(
          `HALF_DONE: stopped before step 4 (not undone: undo-2: ${why}; undo-1: ${why})`,
        );
        expect(worker.words).toMatchObject([{ audience: "operator" }]);
      });
    }));

  it("and not by the version before, which would run the handler", () =>
    withDatabase(async (db) => {
      const seq = await dieInRollback(db);
      const { id } = await registerWorker(db, {
        ...{ lane: "general", kinds: ["index"], hostname: "h", pid: 1 },
      });
      const kinds = [{ kind: "index", free: 10 }];
      const claim = () => claimJobs(db, { ...none, workerId: id, kinds, max: 10 });
      await db.query("UPDATE workers SET engine = 2 WHERE id = $1", [id]);
      const other = await enqueueJob(db, { kind: "index", payload: {} });
      const [first, ...more] = await claim();
      expect([first?.seq, ...more]).toEqual([other.seq]);
      // What was retried for another reason is everybody's.
      const again = { delayMs: 0, error: "FLAKY: no luck", burnAttempt: true };
      await rescheduleJob(db, first!, again);
      expect((await claim()).map((job) => job.seq)).toEqual([other.seq]);
      await db.query("UPDATE workers SET engine = 3 WHERE id = $1", [id]);
      expect((await claim()).map((job) => job.seq)).toEqual([seq]);
    }));
});

describe("a rollback", () => {
  it("that was taken from its worker begins no other compensation, and the one under way hears of it", () =>
    withDatabase(async (db, url) => {
      const { kind, told } = telling();
      const run: TestKind["run"] = async ({ compensateWith }) => {
        for (const step of STEPS) await compensateWith(`undo-${step}`, { step });
        throw CAUSE;
      };
      const hang: NonNullable<TestKind["compensations"]>[string] = (_input, { signal }) => {
        told.push("hangs");
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      };
      const compensations = { ...kind.compensations, "undo-2": hang };
      await withWorker(
        { db, url },
        { handlers: [{ kind: "index", run, compensations }] },
        async ({ seen }) => {
          const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
          await until(() => told.includes("hangs"), "the second act is being undone");
          await cancelJob(db, { seq, actor: "cli:ann", reason: "not wanted" });
          await seen("job.lost", id);
          expect(told).toEqual(["undo 3", "hangs"]);
          expect((await readJob(db, seq))?.status).toBe("cancelled");
          expect((await readRollbacks(db, [seq])).get(seq)?.left).toEqual(["undo-2", "undo-1"]);
        },
      );
      // Wanted again: by another process.
      await retryJob(db, { seq: 1, actor: "cli:ann" });
      await expectFinished(db, url, 1);
    }));

  it("is not begun by who lost the job, whose late word about what it undid still counts", () =>
    withDatabase(async (db) => {
      await enqueueJob(db, { kind: "index", payload: {} });
      const { job } = await claimed(db);
      await declareCompensation(db, { jobSeq: job.seq, name: "undo-1", input: {} });
      expect(await beginRollback(db, job, CAUSE)).toBe(true);
      await db.query(RESET.replace(/job-\d+/, job.id));
      expect(await beginRollback(db, job, CAUSE)).toBe(false);
      expect(await checkpointRollback(db, job, 1)).toBe(false);
      expect((await readRollbacks(db, [job.seq])).get(job.seq)?.left).toEqual([]);
    }));

  it("goes with its job, whoever deletes it", () =>
    withDatabase(async (db) => {
      const seq = await dieInRollback(db);
      await deleteJobs(db, [seq]);
      const { rows } = await db.query("SELECT job_seq FROM control.rollback");
      expect(rows).toEqual([]);
    }));

  it("waits with its checkpoint for a database that is full: nothing is undone twice", () =>
    withDatabase(async (db, url) => {
      const { kind, told } = telling();
      const run: TestKind["run"] = async ({ compensateWith }) => {
        await compensateWith("undo-1", { step: 1 });
        throw CAUSE;
      };
      await db.query(
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON control.compensation FOR EACH ROW EXECUTE FUNCTION refuse()`,
      );
      await withWorker({ db, url }, { handlers: [{ ...kind, run }] }, async ({ seen }) => {
        const { id } = await enqueueJob(db, { kind: "index", payload: {} });
        await seen("settle.failed");
        await db.query("DROP TRIGGER refuse ON control.compensation");
        expect(await seen("job.failed", id)).toMatchObject({
          error: `HALF_DONE: ${CAUSE.message}`,
        });
        expect(told).toEqual(["undo 1"]);
      });
    }));
});
