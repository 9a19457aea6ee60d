import { expect, it } from "vitest";
import { writeAttempts } from "../../src/store/job-attempts.js";
import { holdNewJob } from "../support/held-job.js";
import { withApi } from "./harness.js";

it("GET /api/v1/jobs/:id shows what attempts told (EP-03, BQ-wrk-04)", () =>
  withApi(async ({ as, db }) => {
    const job = await holdNewJob(db);
    const at = new Date("2026-06-15T12:00:00Z");
    const error = { code: "UNEXPECTED", message: "boom", trace: "Error: boom\n    at read" };
    await writeAttempts(db, [
      {
        ...{ jobSeq: job.seq, fence: job.fence, attempt: 1, workerId: "index-worker-7" },
        ...{ startedAt: at, end: { at, outcome: "failed", error } },
        ...{ progress: 0.43, note: "430 of 1000", linesLeftOut: 57 },
        lines: [{ ordinal: 1, at, level: "warn", message: "repo.unreadable repo=alpha" }],
      },
    ]);
    const reply = await as("viewer", { method: "GET", url: `/api/v1/jobs/${job.id}` });
    expect(reply.json().attempts).toBe(1);
    expect(reply.json().history.attempts).toEqual([
      {
        ...{ attempt: 1, worker_id: "index-worker-7", outcome: "failed" },
        ...{ started_at: at.toISOString(), ended_at: at.toISOString(), error },
        progress: { fraction: 0.43, note: "430 of 1000" },
        lines: [{ at: at.toISOString(), level: "warn", message: "repo.unreadable repo=alpha" }],
        lines_left_out: 57,
      },
    ]);
  }));
