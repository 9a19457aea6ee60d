/** The history of attempts: what is kept, what outlives what, and what people see of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HeldJob } from "../../src/job/job.js";
import {
  type AttemptNews,
  deadAttempt,
  readAttempts,
  writeAttempts,
} from "../../src/store/job-attempts.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { holdJob, holdNewJob } from "../support/held-job.js";

let at: TestDatabase;
beforeAll(async () => {
  at = await createTestDatabase();
});
afterAll(() => at.drop());

const NOW = new Date("2026-06-15T12:00:00Z");

function newsOf(job: HeldJob, more: Partial<AttemptNews> = {}): AttemptNews {
  return {
    ...{ jobSeq: job.seq, fence: job.fence, attempt: job.attempt, workerId: "index-worker-7" },
    ...{ startedAt: NOW, end: null, progress: null, note: null, lines: [], linesLeftOut: 0 },
    ...more,
  };
}

const line = (ordinal: number) =>
  ({ ordinal, at: NOW, level: "info", message: `line ${ordinal}` }) as const;

test("what is written twice stays once, and a progress stays until there is a newer one", async () => {
  const job = await holdNewJob(at.db);
  await writeAttempts(at.db, [newsOf(job, { progress: 0.5, note: "half", lines: [line(1)] })]);
  await writeAttempts(at.db, [newsOf(job, { lines: [line(1), line(2)], linesLeftOut: 3 })]);
  expect(await readAttempts(at.db, job.seq)).toEqual([
    {
      ...{ jobSeq: job.seq, fence: job.fence, attempt: 1, workerId: "index-worker-7" },
      ...{ startedAt: NOW, endedAt: null, outcome: "running", error: null },
      ...{ progress: 0.5, note: "half", linesLeftOut: 3 },
      lines: [1, 2].map((n) => ({ at: NOW, level: "info", message: `line ${n}` })),
    },
  ]);
});

test("one that died is told by others, who do not know better than itself", async () => {
  const [silent, spoke] = [await holdNewJob(at.db), await holdNewJob(at.db)];
  const error = { code: "DISK_FULL", message: "no room", trace: "Error: no room" };
  await writeAttempts(at.db, [newsOf(spoke, { end: { at: NOW, outcome: "failed", error } })]);
  const died = new Date("2026-06-15T12:00:09Z");
  const deaths = [silent, spoke].map((job) =>
    deadAttempt(job, { workerId: "index-worker-7", fence: job.fence, at: died }),
  );
  await writeAttempts(at.db, deaths);
  expect(await readAttempts(at.db, spoke.seq)).toMatchObject([{ error, endedAt: NOW }]);
  const [attempt] = await readAttempts(at.db, silent.seq);
  expect(attempt).toMatchObject({
    outcome: "failed",
    endedAt: died,
    error: { code: "WORKER_DIED" },
  });
  const { rows } = await at.db.query<{ at: Date }>(
    "SELECT started_at AS at FROM jobs WHERE seq = $1",
    [silent.seq],
  );
  expect(attempt?.startedAt).toEqual(rows[0]?.at);
});

test("the one that runs, or succeeded without a word, is shown from the job's own row", async () => {
  const job = await holdNewJob(at.db);
  expect(await readAttempts(at.db, job.seq)).toMatchObject([
    { attempt: 1, outcome: "running", workerId: "general-worker-1", lines: [] },
  ]);
  await writeAttempts(at.db, [newsOf(job)]);
  await holdJob(at.db, job.seq);
  await at.db.query(
    "UPDATE jobs SET status = 'completed', fence = fence + 1, completed_at = now() WHERE seq = $1",
    [job.seq],
  );
  const shown = await readAttempts(at.db, job.seq);
  expect(shown.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
    [2, "completed"],
    [1, "unknown"],
  ]);
});

test("an operator's reset that counts from 1 again mixes no attempts", async () => {
  const first = await holdNewJob(at.db);
  await writeAttempts(at.db, [newsOf(first, { lines: [line(1)] })]);
  await at.db.query("UPDATE jobs SET status = 'pending', attempts = 0 WHERE seq = $1", [first.seq]);
  const again = await holdJob(at.db, first.seq);
  await writeAttempts(at.db, [newsOf(again, { lines: [line(2)] })]);
  const shown = await readAttempts(at.db, first.seq);
  expect(shown.map(({ attempt, lines }) => [attempt, lines.map((one) => one.message)])).toEqual([
    [1, ["line 2"]],
    [1, ["line 1"]],
  ]);
});

test("a job that is gone is told nothing, and one that goes on for ever keeps the newest", async () => {
  const job = await holdNewJob(at.db);
  await writeAttempts(at.db, [newsOf({ ...job, seq: 999_999 }, { lines: [line(1)] })]);
  expect(
    (await at.db.query("SELECT FROM control.job_attempt WHERE job_seq = 999999")).rowCount,
  ).toBe(0);
  for (const fence of [1, 3, 203, 205])
    await writeAttempts(at.db, [newsOf({ ...job, fence }, { lines: [line(1)] })]);
  const { rows } = await at.db.query<{ fence: number }>(
    "SELECT DISTINCT fence FROM control.job_line WHERE job_seq = $1 ORDER BY fence",
    [job.seq],
  );
  expect(rows.map(({ fence }) => fence)).toEqual([203, 205]);
  expect((await readAttempts(at.db, job.seq)).map(({ fence }) => fence)).toEqual([205, 203]);
});
