import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { withApi } from "./harness.js";

const queue = (path: string, payload?: object) => ({
  method: "POST" as const,
  url: `/api/queue/${path}`,
  ...(payload ? { payload } : {}),
});
const STATS = { method: "GET", url: "/api/queue/stats" } as const;
const minutesFromNow = (time: string) =>
  Math.round((Date.parse(time) - systemClock.now().getTime()) / 60_000);

async function pausesOf(
  reply: Promise<{ json: () => { queues: { name: string; pause: unknown }[] } }>,
) {
  const { queues } = (await reply).json();
  return Object.fromEntries(queues.map(({ name, pause }) => [name, pause]));
}

/** As plain SQL makes them: so many of this kind and status that ended so many hours ago. */
async function ended(db: Database, kind: string, status: string, hours: number, count = 1) {
  await db.query(
    `INSERT INTO jobs (job_type, status, completed_at)
     SELECT $1, $2, now() - $3 * interval '1 hour' FROM generate_series(1, $4)`,
    [kind, status, hours, count],
  );
}

describe("pausing all queues over HTTP", () => {
  it("stops each public one for an hour, one audit entry, and the internal ones never (EP-12)", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "index", payload: {} });
      await enqueueJob(db, { kind: "notice", payload: {} });
      const reply = await as("admin", queue("pause-all", { reason: "a deployment" }));
      expect(reply.json()).toMatchObject({ names: PUBLIC_KINDS, paused: true });
      expect(minutesFromNow(reply.json().expires_at)).toBe(60);
      const pauses = await pausesOf(as("viewer", STATS));
      expect(pauses.index).toMatchObject({ of: "all", reason: "a deployment" });
      const claimed = await claimJobs(db, {
        ...{ workerId: "general-worker-1", max: 10, globalCap: null },
        kinds: ["index", "notice"].map((kind) => ({ kind, free: 5, globalMax: null })),
      });
      expect(claimed.map(({ kind }) => kind)).toEqual(["notice"]);
      const { rows } = await db.query(
        "SELECT actor, action FROM audit_log WHERE target = 'queue:*'",
      );
      expect(rows).toEqual([{ actor: "api:test-admin", action: "queue.paused" }]);
    }));

  it("ends without ending a pause that somebody made for another reason, unless asked to (EP-13)", () =>
    withApi(async ({ as }) => {
      await as("operator", queue("gc/pause", { reason: "disk", expires_in: "4h" }));
      await as("admin", queue("pause-all", { reason: "a deployment", expires_in: "15m" }));
      const single = (await as("operator", queue("index/resume"))).json();
      expect(single).toMatchObject({ paused: true, changed: false, pause: { of: "all" } });
      const resumed = (await as("admin", queue("resume-all"))).json();
      expect(resumed.names).toEqual(PUBLIC_KINDS.filter((kind) => kind !== "gc"));
      expect(resumed.still_paused).toMatchObject([{ name: "gc", of: "queue", reason: "disk" }]);
      const pauses = await pausesOf(as("viewer", STATS));
      expect([pauses.index, pauses.gc]).toMatchObject([null, { reason: "disk" }]);
      const each = (await as("admin", queue("resume-all", { each: true }))).json();
      expect(each).toEqual({ names: ["gc"], paused: false, still_paused: [] });
    }));

  it("is an admin's, and a pause of one queue that names no end is over in a day", () =>
    withApi(async ({ as }) => {
      for (const path of ["pause-all", "resume-all", "clean-all", "index/clean"])
        expect((await as("operator", queue(path, { reason: "x" }))).statusCode).toBe(403);
      const paused = (await as("operator", queue("index/pause", { reason: "x" }))).json();
      expect(minutesFromNow(paused.expires_at)).toBe(24 * 60);
    }));
});

describe("cleaning over HTTP", () => {
  it("removes failed jobs of the queue that ended a day ago, counts first if asked, and audits (EP-11)", () =>
    withApi(async ({ as, db }) => {
      await ended(db, "index", "failed", 25, 1_200);
      await ended(db, "index", "failed", 23);
      await ended(db, "gc", "failed", 25);
      for (const status of ["completed", "cancelled", "quarantined"])
        await ended(db, "index", status, 25);
      const dry = (await as("admin", queue("index/clean", { dry_run: true }))).json();
      expect(dry).toMatchObject({ dry_run: true, removed: 1_200, counts: { index: 1_200 } });
      const cleaned = (await as("admin", queue("index/clean"))).json();
      expect(cleaned).toMatchObject({ status: "failed", removed: 1_200, done: true });
      const { rows } = await db.query(
        "SELECT job_type, status, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2",
      );
      expect(rows).toEqual([
        { job_type: "gc", status: "failed", count: 1 },
        { job_type: "index", status: "cancelled", count: 1 },
        { job_type: "index", status: "completed", count: 1 },
        { job_type: "index", status: "failed", count: 1 },
        { job_type: "index", status: "quarantined", count: 1 },
      ]);
      const audit = await db.query(
        "SELECT details->'removed' AS removed FROM audit_log WHERE target = 'queue:index' AND action = 'queue.cleaned' ORDER BY seq",
      );
      expect(audit.rows).toEqual([{ removed: 1_000 }, { removed: 200 }]);
    }));

  it("takes status and age, and of all queues the public ones only (EP-14)", () =>
    withApi(async ({ as, db }) => {
      await ended(db, "index", "completed", 2, 2);
      await ended(db, "score", "completed", 2);
      await ended(db, "notice", "completed", 2);
      const body = { status: "completed", grace: "1h" };
      const cleaned = (await as("admin", queue("clean-all", body))).json();
      expect(cleaned).toMatchObject({ removed: 3, counts: { index: 2, score: 1 }, done: true });
      const again = (await as("admin", queue("clean-all", body))).json();
      expect(again).toMatchObject({ removed: 0, counts: {}, done: true });
    }));
});
