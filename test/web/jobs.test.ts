import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { makeAccessRule, makePolicy } from "../support/make-policy.js";
import { withApi } from "./harness.js";

const JOBS = "/api/v1/jobs";
const scoreJob = { job_type: "score", payload: { repo_id: "r1" } };

describe("POST /api/v1/jobs", () => {
  it("makes the job, says where it is, and records who asked (EP-02)", () =>
    withApi(async ({ as, db }) => {
      const reply = await as("operator", { method: "POST", url: JOBS, payload: scoreJob });
      expect(reply.statusCode).toBe(201);
      const job = reply.json();
      expect(job).toMatchObject({ ...scoreJob, status: "pending", attempts: 0, error: null });
      expect(reply.headers.location).toBe(`/api/v1/jobs/${job.id}`);
      expect(job).toMatchObject({ requested_by: "api:test-operator", parent: null });
      const { rows } = await db.query<{ actor: string; action: string }>(
        "SELECT actor, action FROM audit_log WHERE target = $1",
        [job.id],
      );
      expect(rows).toEqual([{ actor: "api:test-operator", action: "job.created" }]);
    }));

  it("takes priority and time from the body, else priority from the policy of the type", () =>
    withApi(async ({ as }) => {
      const at = new Date(systemClock.now().getTime() + 3_600_000).toISOString();
      const post = (body: object) => as("admin", { method: "POST", url: JOBS, payload: body });
      const urgent = await post({ ...scoreJob, priority: 10, scheduled_at: at });
      expect(urgent.json()).toMatchObject({ priority: 10, scheduled_at: at });
      const index = await post({ job_type: "index", payload: { path: "/srv/repos" } });
      expect(index.json().priority).toBe(makePolicy().workers.index?.priority);
      expect((await post(scoreJob)).json().priority).toBe(5);
    }));

  it.each([undefined, "application/x-www-form-urlencoded", "text/plain"])(
    "takes JSON labelled %s (X-25)",
    (label) =>
      withApi(async ({ as }) => {
        const headers = label === undefined ? {} : { "content-type": label };
        const payload = JSON.stringify(scoreJob);
        const reply = await as("operator", { method: "POST", url: JOBS, payload, headers });
        expect(reply.statusCode).toBe(201);
      }),
  );

  it("lets an admin post each public kind, an operator only three (EP-02)", () =>
    withApi(async ({ as }) => {
      const gc = { job_type: "gc", payload: {} };
      expect((await as("operator", { method: "POST", url: JOBS, payload: gc })).statusCode).toBe(
        403,
      );
      expect((await as("admin", { method: "POST", url: JOBS, payload: gc })).statusCode).toBe(201);
    }));
});

describe("GET /api/v1/jobs", () => {
  it("pages from the newest to the oldest without gap or repeat (EP-04)", () =>
    withApi(async ({ as, db }) => {
      for (let n = 0; n < 5; n++) await enqueueJob(db, { kind: "gc", payload: {} });
      const ids: string[] = [];
      let next = "";
      do {
        const before = next === "" ? "" : `&before=${next}`;
        const reply = await as("viewer", { method: "GET", url: `${JOBS}?limit=2${before}` });
        const page = reply.json<{ jobs: { id: string }[]; next: string | null }>();
        ids.push(...page.jobs.map(({ id }) => id));
        next = page.next ?? "";
      } while (next !== "");
      expect(ids).toEqual(["job-5", "job-4", "job-3", "job-2", "job-1"]);
      const newer = async (after: string) => {
        const reply = await as("viewer", { method: "GET", url: `${JOBS}?limit=2&after=${after}` });
        const { jobs, ...ends } = reply.json<{ jobs: { id: string }[] }>();
        return { ids: jobs.map(({ id }) => id), ...ends };
      };
      const middle = { ids: ["job-4", "job-3"], next: "job-3", prev: "job-4" };
      expect(await newer("job-2")).toEqual(middle);
      expect(await newer("job-5")).toEqual({ ids: [], next: null, prev: "job-5" });
    }));

  it("filters by status and type", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "gc", payload: {} });
      await enqueueJob(db, { kind: "audit", payload: {} });
      const count = async (query: string) =>
        (await as("viewer", { method: "GET", url: `${JOBS}?${query}` })).json().jobs.length;
      expect(await count("status=pending&job_type=gc")).toBe(1);
      expect(await count("status=quarantined")).toBe(0);
      const anHourAgo = new Date(systemClock.now().getTime() - 3_600_000).toISOString();
      expect(await count(`since=${anHourAgo}`)).toBe(2);
      expect(await count(`until=${anHourAgo}`)).toBe(0);
      expect(await count("priority=5&requested_by=api:ann")).toBe(0);
    }));

  it("shows one job with what happened to it (EP-03)", () =>
    withApi(async ({ as }) => {
      const { id } = (await as("admin", { method: "POST", url: JOBS, payload: scoreJob })).json();
      await as("admin", { method: "POST", url: `${JOBS}/${id}/cancel`, payload: { reason: "no" } });
      const job = (await as("viewer", { method: "GET", url: `${JOBS}/${id}` })).json();
      expect(job).toMatchObject({ id, status: "cancelled", history: { healing: [] } });
      expect(job.history.audit.map(({ action }: { action: string }) => action)).toEqual([
        "job.created",
        "job.cancelled",
      ]);
    }));
});

describe("POST /api/v1/jobs/:id/retry", () => {
  const failed = "UPDATE jobs SET status = 'failed', error = 'boom' WHERE id = 'job-1'";
  const running = "UPDATE jobs SET status = 'running', worker_id = 'x-worker-1', fence = fence + 1";
  const retry = { method: "POST", url: `${JOBS}/job-1/retry` } as const;

  it("makes a failed job pending, with or without a body (EP-05)", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "gc", payload: {} });
      for (const payload of [undefined, { reason: "fixed the data" }]) {
        await db.query(failed);
        const reply = await as("admin", payload ? { ...retry, payload } : retry);
        expect(reply.statusCode).toBe(200);
        expect(reply.json()).toMatchObject({ status: "pending", attempts: 0, error: null });
      }
    }));

  it("refuses a running job, which an admin may take by force (X-01)", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "gc", payload: {} });
      await db.query(running);
      const refused = await as("admin", retry);
      expect(refused.statusCode).toBe(409);
      expect(refused.json()).toMatchObject({ code: "state-conflict" });
      const forced = await as("admin", { ...retry, payload: { force: true } });
      expect(forced.json()).toMatchObject({ status: "pending", worker_id: null });
    }));

  it("is open to operators as far as the access policy lets them", () => {
    const rules = [makeAccessRule({ runbook: "rerun-job", doors: ["api"] })];
    const policy = makePolicy();
    return withApi(
      async ({ as, db }) => {
        await enqueueJob(db, { kind: "gc", payload: {} });
        await db.query(failed);
        expect((await as("operator", { ...retry, payload: { force: true } })).statusCode).toBe(403);
        expect((await as("operator", retry)).statusCode).toBe(200);
      },
      { policy: () => ({ ...policy, access: { ...policy.access, rules } }) },
    );
  });

  it("works in safe mode, and so does cancel, while a new job is refused (design 5)", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "gc", payload: {} });
      await db.query(failed);
      await enterSafeMode(db, { reason: "disk gone", by: "test" });
      const refused = await as("admin", { method: "POST", url: JOBS, payload: scoreJob });
      expect(refused.statusCode).toBe(503);
      expect(refused.json()).toMatchObject({
        code: "safe-mode",
        detail: expect.stringContaining("disk gone"),
      });
      expect(refused.headers["retry-after"]).toBe("60");
      expect((await as("admin", retry)).statusCode).toBe(200);
      const cancel = await as("admin", { method: "POST", url: `${JOBS}/job-1/cancel` });
      expect(cancel.json()).toMatchObject({ status: "cancelled" });
      expect((await as("viewer", { method: "GET", url: JOBS })).statusCode).toBe(200);
    }));
});
