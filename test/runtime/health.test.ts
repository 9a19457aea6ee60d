import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { type HealthDeps, readHealth } from "../../src/runtime/health.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { publishPolicy } from "../../src/store/policies.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { noteSign } from "../../src/store/signs-of-life.js";
import { registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

const deps = (db: Database, redis: HealthDeps["redis"] = null): HealthDeps => ({
  db,
  clock: systemClock,
  policy: () => makePolicy(),
  drift: () => [],
  redis,
});

async function alive(db: Database, beatAgeS = 1): Promise<void> {
  const at = new Date(Date.now() - beatAgeS * 1_000);
  await noteSign(db, "heartbeat", at);
  await registerWorker(db, { lane: "general", kinds: ["index"], hostname: "h", pid: 1 });
}

describe("readHealth", () => {
  it("is healthy with a database, a beating orchestrator and a worker (HB-api-01)", async () => {
    await withDatabase(async (db) => {
      await alive(db);
      await publishPolicy(db, { digest: "abc", bundle: {}, source: "policies" });
      expect(await readHealth(deps(db))).toEqual({
        status: "healthy",
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        services: { database: "up", redis: "memory", orchestrator: "up", workers: 1 },
        safe_mode: { active: false, reason: null, entered_by: null, entered_at: null },
        policy: {
          ...{ digest: "abc", revision: 1, commit: null, adopted: null, published: null },
          ...{ held: null, waiting: null, failed: null, overrides: 0 },
          processes: { on_it: 0, behind: 0 },
        },
        drift: [],
      });
    });
  });

  it.each<[string, number, boolean, HealthDeps["redis"], string]>([
    ["unhealthy when the orchestrator is silent for a minute", 61, false, null, "unhealthy"],
    ["degraded in safe mode", 1, true, null, "degraded"],
    ["degraded when Redis is down", 1, false, async () => false, "degraded"],
    ["healthy when Redis answers", 1, false, async () => true, "healthy"],
  ])("is %s", async (_says, beatAgeS, safe, redis, status) => {
    await withDatabase(async (db) => {
      await alive(db, beatAgeS);
      if (safe) await enterSafeMode(db, { reason: "job-1: disk gone", by: "healdec" });
      const report = await readHealth(deps(db, redis));
      expect(report.status).toBe(status);
      expect(report.safe_mode.active).toBe(safe);
      expect(report.reason === undefined).toBe(status === "healthy");
    });
  });

  it("is a report, not an error, when the database is gone", async () => {
    const db = openDatabase({
      url: "postgresql://nobody@127.0.0.1:1/none",
      poolMax: 1,
      applicationName: "test",
      ssl: false,
    });
    const report = await readHealth(deps(db));
    expect(report).toMatchObject({
      status: "unhealthy",
      services: { database: "down", orchestrator: "down", workers: 0 },
      reason: "the database does not answer",
    });
    await db.close();
  });
});
