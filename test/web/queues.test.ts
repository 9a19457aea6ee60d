import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { withApi } from "./harness.js";

const post = (action: "pause" | "resume", payload?: object) => ({
  method: "POST" as const,
  url: `/api/queue/index/${action}`,
  ...(payload ? { payload } : {}),
});
const STATS = { method: "GET", url: "/api/queue/stats" } as const;

describe("queues over HTTP", () => {
  it("show depth and pause of each type (EP-08)", () =>
    withApi(async ({ as, db }) => {
      await enqueueJob(db, { kind: "index", payload: {} });
      await as("operator", post("pause", { reason: "disk is full" }));
      const { queues } = (await as("viewer", STATS)).json();
      expect(queues).toContainEqual(
        expect.objectContaining({
          name: "index",
          waiting: 1,
          active: 0,
          pause: expect.objectContaining({
            reason: "disk is full",
            paused_by: "api:test-operator",
          }),
        }),
      );
      expect(queues).toContainEqual(
        expect.objectContaining({ name: "gc", waiting: 0, pause: null }),
      );
    }));

  it("pause until a time and resume, both audited with who and why (EP-09, EP-10)", () =>
    withApi(async ({ as, db }) => {
      const paused = (
        await as("operator", post("pause", { reason: "x", expires_in: "30m" }))
      ).json();
      const inMs = Date.parse(paused.expires_at) - systemClock.now().getTime();
      expect(inMs).toBeGreaterThan(29 * 60_000);
      expect(inMs).toBeLessThanOrEqual(30 * 60_000);
      expect((await as("operator", post("resume"))).json()).toMatchObject({
        paused: false,
        changed: true,
      });
      expect((await as("operator", post("resume"))).json()).toMatchObject({ changed: false });
      const { rows } = await db.query(
        "SELECT actor, action FROM audit_log WHERE target = 'queue:index' ORDER BY seq",
      );
      expect(rows).toEqual([
        { actor: "api:test-operator", action: "queue.paused" },
        { actor: "api:test-operator", action: "queue.resumed" },
      ]);
    }));

  it("are not changed in safe mode", () =>
    withApi(async ({ as, db }) => {
      await enterSafeMode(db, { reason: "x", by: "test" });
      const reply = await as("admin", post("pause", { reason: "x" }));
      expect(reply.statusCode).toBe(503);
      expect(reply.json()).toMatchObject({ code: "safe-mode" });
      expect((await as("viewer", STATS)).statusCode).toBe(200);
    }));
});
