/** The history of attempts as a whole worker, and the recovery of a dead one, leave it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { recoverWorker } from "../../src/runtime/recover.js";
import { type Attempt, readAttempts } from "../../src/store/job-attempts.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { registerWorker } from "../../src/store/workers.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { holdNewJob } from "../support/held-job.js";
import { makePolicy } from "./support/policy.js";
import { type TestKind, withWorker } from "./support/worker.js";

let at: TestDatabase;
beforeAll(async () => {
  at = await createTestDatabase();
});
afterAll(() => at.drop());

const summary = ({ attempt, outcome, error, lines, note }: Attempt) => ({
  ...{ attempt, outcome, code: error?.code, note },
  lines: lines.map(({ message }) => message),
});

test("a worker leaves what was told, and nothing of what was not (X-02, BQ-wrk-04)", async () => {
  const flaky: TestKind = {
    kind: "index",
    run: async ({ job, log, progress }) => {
      if (job.attempt === 2) return { ok: true };
      progress(0.5, "1 of 2");
      log.warn("page.refused", { token: "hunter2-hunter2" });
      throw new Error("the page needs hunter2-hunter2");
    },
  };
  const half: TestKind = {
    kind: "sync",
    run: async ({ log, compensateWith }) => {
      await compensateWith("undo", {});
      log.info("act.done");
      throw fault.partial("HALF_DONE", "one of two is written");
    },
    compensations: { undo: async (_input, { log }) => log.info("act.undone") },
  };
  const silent: TestKind = { kind: "score", run: async () => null };
  await withWorker(at, { handlers: [flaky, half, silent] }, async ({ worker, seen }) => {
    const [index, sync, score] = await Promise.all(
      ["index", "sync", "score"].map((kind) => enqueueJob(at.db, { kind, payload: {} })),
    );
    await Promise.all([
      seen("job.completed", index!.id),
      seen("job.failed", sync!.id),
      seen("job.completed", score!.id),
    ]);
    await worker.stop();
    const attempts = await readAttempts(at.db, index!.seq);
    expect(attempts.map(summary)).toEqual([
      { attempt: 2, outcome: "completed", note: null, lines: [] },
      {
        ...{ attempt: 1, outcome: "failed", code: "UNEXPECTED", note: "1 of 2" },
        lines: ["page.refused token=[redacted]"],
      },
    ]);
    expect(attempts[1]?.error?.message).toBe("the page needs [redacted]");
    expect(attempts[1]?.error?.trace).toMatch(/^Error: the page needs \[redacted\]\n +at /);
    expect((await readAttempts(at.db, sync!.seq)).map(summary)).toEqual([
      {
        ...{ attempt: 1, outcome: "failed", code: "HALF_DONE", note: null },
        lines: ["act.done", "act.undone"],
      },
    ]);
    const { rows } = await at.db.query("SELECT FROM control.job_attempt WHERE job_seq = $1", [
      score!.seq,
    ]);
    expect(rows).toEqual([]);
  });
});

test("a job whose worker died says so, at the attempt that it was", async () => {
  const { id } = await registerWorker(at.db, {
    ...{ lane: "general", kinds: ["index"], hostname: "here", pid: 1 },
  });
  const job = await holdNewJob(at.db);
  await at.db.query("UPDATE jobs SET worker_id = $1 WHERE seq = $2", [id, job.seq]);
  // Its handler had started, as its last beat says.
  await at.db.query("UPDATE workers SET started_jobs = $2 WHERE id = $1", [id, [job.seq]]);
  await recoverWorker(id, {
    ...{ db: at.db, clock: systemClock, policy: () => makePolicy(), random: () => 0.5 },
    ...{ emit: () => {}, notify: async () => {} },
  });
  const [attempt] = await readAttempts(at.db, job.seq);
  expect(attempt).toMatchObject({
    ...{ fence: job.fence, attempt: 1, outcome: "failed", error: { code: "WORKER_DIED" } },
    workerId: `index-worker-${id.split("-").at(-1)}`,
  });
});
