import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { makeAccessRule, makePolicy } from "../support/make-policy.js";
import { withApi } from "./harness.js";

const JOBS = "/api/v1/jobs";
const bulk = (payload: object) => ({ method: "POST" as const, url: `${JOBS}/bulk`, payload });
const RETRY = {
  action: "retry",
  filter: { status: "failed", error: "git: " },
  reason: "the remote is back",
};

async function fail(db: Database, count: number): Promise<void> {
  await db.query(
    "INSERT INTO jobs (job_type, status, error, completed_at) SELECT 'index', 'failed', 'git: away', now() FROM generate_series(1, $1)",
    [count],
  );
}

describe("POST /api/v1/jobs/bulk", () => {
  it("counts first, and acts on what was confirmed, also in safe mode (X-03)", () =>
    withApi(async ({ as, db }) => {
      await fail(db, 3);
      await enterSafeMode(db, { reason: "disk gone", by: "test" });
      const counted = (await as("admin", bulk(RETRY))).json();
      expect(counted).toMatchObject({ action: "retry", dry_run: true, count: 3, skipped: {} });
      const act = { ...RETRY, dry_run: false, confirm: counted.confirm };
      expect((await as("admin", bulk(act))).json()).toEqual({
        ...{ action: "retry", dry_run: false, count: 3, acted: 3, stopped: null },
      });
      const { jobs } = (await as("viewer", { url: `${JOBS}?status=pending` })).json();
      expect(jobs).toHaveLength(3);
      const times = jobs.map((job: { scheduled_at: string }) => Date.parse(job.scheduled_at));
      expect([times[0] - times[1], times[1] - times[2]]).toEqual([100, 100]);
      // Asked again, as after an answer that was lost: nothing is left to do.
      expect((await as("admin", bulk(act))).json()).toMatchObject({ acted: 0, stopped: null });
    }));

  it("refuses what was not confirmed: nothing, another filter, another act, more jobs", () =>
    withApi(async ({ as, db }) => {
      await fail(db, 2);
      const { confirm } = (await as("admin", bulk(RETRY))).json();
      const acts = [
        { ...RETRY, dry_run: false },
        { ...RETRY, dry_run: false, confirm, filter: { status: "failed" } },
        { ...RETRY, dry_run: false, confirm, action: "cancel" },
      ];
      for (const act of acts) {
        const reply = await as("admin", bulk(act));
        expect([reply.statusCode, reply.json().errors]).toMatchObject([
          422,
          [{ pointer: "/confirm" }],
        ]);
      }
      await db.query("UPDATE jobs SET status = 'completed' WHERE id = 'job-1'");
      const fewer = (await as("admin", bulk(RETRY))).json().confirm;
      await db.query("UPDATE jobs SET status = 'failed', error = 'git: away' WHERE id = 'job-1'");
      const grown = await as("admin", bulk({ ...RETRY, dry_run: false, confirm: fewer }));
      expect([grown.statusCode, grown.json().code]).toEqual([409, "state-conflict"]);
      expect((await db.query("SELECT FROM jobs WHERE status = 'failed'")).rowCount).toBe(2);
    }));

  it("cancels for an admin alone, and lets an operator retry where the policy lets them rerun failed jobs", () => {
    const rules = [makeAccessRule({ runbook: "rerun-failed-jobs", doors: ["api"] })];
    const policy = makePolicy();
    return withApi(
      async ({ as, db }) => {
        await fail(db, 1);
        const cancel = { ...RETRY, action: "cancel" };
        expect((await as("operator", bulk(cancel))).statusCode).toBe(403);
        expect((await as("operator", bulk(RETRY))).json()).toMatchObject({ count: 1 });
        const { confirm } = (await as("admin", bulk(cancel))).json();
        const done = await as("admin", bulk({ ...cancel, dry_run: false, confirm }));
        expect(done.json()).toMatchObject({ acted: 1 });
      },
      { policy: () => ({ ...policy, access: { ...policy.access, rules } }) },
    );
  });
});

describe("GET /api/v1/jobs/:id/why", () => {
  it("gives the reasons in words, with what to do", () =>
    withApi(async ({ as, db }) => {
      await db.query(
        "INSERT INTO jobs (job_type, scheduled_at) VALUES ('index', now() + interval '1 hour')",
      );
      await as("admin", {
        method: "POST",
        url: "/api/queue/pause-all",
        payload: { reason: "a deployment" },
      });
      const reply = await as("viewer", { url: `${JOBS}/job-1/why` });
      expect(reply.json()).toMatchObject({
        ...{ id: "job-1", status: "pending" },
        reasons: [
          { code: "all-paused", remedy: "POST /api/queue/resume-all", until: expect.any(String) },
          { code: "no-worker", until: null },
          { code: "not-due", remedy: null },
        ],
      });
      expect((await as("viewer", { url: `${JOBS}/job-9/why` })).statusCode).toBe(404);
    }));
});
