/** Jobs for runbooks to act on, and workers that are played: one database a file. */
import { expect } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { JobStatus } from "../../src/job/job.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { type Given, openGround, type Rehearsed, type RunbookGround, rehearse } from "./runbook.js";
import { until } from "./until.js";

export interface TestJob {
  readonly kind?: string;
  readonly status?: JobStatus;
  readonly error?: string | null;
  readonly payload?: JsonObject;
  readonly priority?: number;
}

interface JobRow {
  readonly status: JobStatus;
  readonly error: string | null;
  readonly payload: JsonObject;
  readonly priority: number;
}

/** As `addJob` makes a job that has not begun. */
export const AGAIN =
  "UPDATE public.jobs SET status = 'pending', attempts = 0, fence = fence + 1 WHERE seq = $1";

export const succeed = () => "completed" as const;

export type JobScene = Awaited<ReturnType<typeof openJobScene>>;

export async function openJobScene() {
  const ground = await openGround(await loadRunbooks());
  const { db } = ground;
  return {
    ground,
    addJob: (job: TestJob = {}) => addJob(db, job),
    addJobs: (count: number, job: TestJob) =>
      Promise.all(Array.from({ length: count }, () => addJob(db, job))),
    /** A case leaves nothing to the next. */
    clearJobs: () => db.query("DELETE FROM public.jobs WHERE job_type <> 'runbook'"),
    jobRow: (seq: number) => jobRow(db, seq),
    /** Works pending jobs off, as workers would, while `work` goes on; `fate` says what becomes of them. */
    whileWorking: <T>(fate: () => JobStatus, work: Promise<T>) => whileWorking(db, fate, work),
    run: (runbook: string, given: Given = {}): Promise<Rehearsed> =>
      rehearse(ground, runbook, given),
    auditCount: (action: string, target: string) => auditCount(db, action, target),
    expectDry: (runbook: string, params: JsonObject, words: RegExp) =>
      expectDry(ground, runbook, params, words),
    drop: async () => {
      expect(await verifyAudit(db)).toMatchObject({ ok: true });
      await ground.drop();
    },
  };
}

async function addJob(db: Database, job: TestJob): Promise<number> {
  const { kind = "index", status = "failed", error = null, payload = {}, priority = 0 } = job;
  const { rows } = await db.query<{ seq: number }>(
    `INSERT INTO public.jobs (job_type, status, error, payload, priority, attempts, completed_at)
     VALUES ($1, $2, $3, $4, $5, CASE $2 WHEN 'pending' THEN 0 ELSE 1 END,
       CASE WHEN $2 IN ('pending', 'running') THEN NULL ELSE now() END) RETURNING seq`,
    [kind, status, error, payload, priority],
  );
  return rows[0]!.seq;
}

async function jobRow(db: Database, seq: number): Promise<JobRow | null> {
  const { rows } = await db.query<JobRow>(
    "SELECT status, error, payload, priority FROM public.jobs WHERE seq = $1",
    [seq],
  );
  return rows[0] ?? null;
}

async function whileWorking<T>(db: Database, fate: () => JobStatus, work: Promise<T>): Promise<T> {
  let isOver = false;
  const working = until(async () => {
    await db.query(
      `UPDATE public.jobs SET status = $1, error = CASE $1 WHEN 'completed' THEN NULL ELSE 'broken again' END,
         attempts = 1, completed_at = now(), fence = fence + 1
       WHERE status = 'pending' AND job_type <> 'runbook'`,
      [fate()],
    );
    return isOver;
  }, "the run is over");
  try {
    return await work;
  } finally {
    isOver = true;
    await working;
  }
}

async function auditCount(db: Database, action: string, target: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM audit_log WHERE action = $1 AND target = $2",
    [action, target],
  );
  return rows[0]!.count;
}

/** What it would do is told, and nothing of it is done. */
async function expectDry(
  ground: RunbookGround,
  runbook: string,
  params: JsonObject,
  words: RegExp,
): Promise<void> {
  const { run, changed } = await rehearse(ground, runbook, { params, dryRun: true });
  expect(run).toMatchObject({ status: "succeeded", verified: null });
  expect(run.output?.text).toMatch(words);
  expect(changed).toEqual([]);
}
