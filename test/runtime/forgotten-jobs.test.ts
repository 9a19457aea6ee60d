import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.js";
import { releaseForgottenJobs } from "../../src/store/forgotten-jobs.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob } from "../../src/store/job-settle.js";
import { enqueueJobs, readJob } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";

const WORKER = "general-worker-1";

async function claimTwo(db: Database) {
  await enqueueJobs(db, [
    { kind: "index", payload: {} },
    { kind: "index", payload: {} },
  ]);
  return claimJobs(db, {
    workerId: WORKER,
    kinds: [{ kind: "index", free: 5 }],
    max: 10,
  });
}

describe("releaseForgottenJobs", () => {
  it("gives back what the worker does not know of, and burns no attempt", async () => {
    await withDatabase(async (db) => {
      const [known, forgotten] = await claimTwo(db);
      const held = { workerId: WORKER, known: [known!.seq], graceMs: 0 };
      expect(await releaseForgottenJobs(db, held)).toBe(1);
      expect(await readJob(db, known!.seq)).toMatchObject({ status: "running" });
      expect(await readJob(db, forgotten!.seq)).toMatchObject({
        status: "pending",
        attempts: 0,
        workerId: null,
      });
      expect(await completeJob(db, forgotten!, null)).toBe(false);
    });
  });

  it("leaves alone what was claimed a moment ago: its answer may still be on the way", async () => {
    await withDatabase(async (db) => {
      await claimTwo(db);
      const held = { workerId: WORKER, known: [], graceMs: 60_000 };
      expect(await releaseForgottenJobs(db, held)).toBe(0);
    });
  });

  it("touches no job of another worker", async () => {
    await withDatabase(async (db) => {
      await claimTwo(db);
      const held = { workerId: "general-worker-2", known: [], graceMs: 0 };
      expect(await releaseForgottenJobs(db, held)).toBe(0);
    });
  });
});
