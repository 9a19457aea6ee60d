import { describe, expect, it } from "vitest";
import { BREAKER_DEFAULTS, CLOSED, closeGate, open } from "../../src/base/breaker.js";
import { systemClock } from "../../src/base/clock.js";
import { forceBreakerOpen, resetBreakers } from "../../src/runtime/breaker-orders.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { listDependencies, recordCalls, saveBreaker } from "../../src/store/dependencies.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { type Api, makeDeps, type Overrides, withApi } from "./harness.js";

const STATUS = "/api/admin/circuit-breaker-status";
const RESET = "/api/admin/reset-circuit-breaker";
const FORCE = "/api/test/force-breaker-open";
const at = new Date("2030-01-28T12:00:00.000Z");

/** The orders carried out as main joins them. */
function withOrders(
  test: (api: Api) => Promise<void>,
  environment: "local" | "staging" = "local",
): Promise<void> {
  let db: Database | null = null;
  const deps = () => ({
    ...{ db: db!, clock: systemClock, emit: () => {}, notify: async () => {} },
  });
  const overrides: Overrides = {
    config: { environment },
    breakers: {
      reset: (request) => resetBreakers(deps(), request),
      forceOpen: (request) => forceBreakerOpen(deps(), request),
    },
  };
  return withApi((api) => {
    db = api.db;
    return test(api);
  }, overrides);
}

const post = (api: Api, url: string, payload: object, role: "operator" | "admin" = "admin") =>
  api.as(role, { method: "POST", url, payload });

async function putOpen(db: Database, name: string): Promise<void> {
  const gated = closeGate(CLOSED, new Date(at.getTime() + 60_000), BREAKER_DEFAULTS, at);
  const breaker = open(gated, "5 of 5 calls failed", 30_000, at);
  await saveBreaker(db, { name, version: 0, breaker, by: "healdec", at });
}

describe("the state of breakers (EP-18)", () => {
  it("is closed where nothing was ever called", () =>
    withOrders(async (api) => {
      const reply = await api.as("viewer", { url: STATUS });
      expect([reply.statusCode, reply.json()]).toEqual([
        200,
        { state: "closed", tokens: 0, successRate: null, p95Latency: null, dependencies: [] },
      ]);
      expect((await api.as(null, { url: STATUS })).statusCode).toBe(401);
    }));

  it("shows each, and the worst above them", () =>
    withOrders(async (api) => {
      const stats = { calls: 20, successRate: 0.9, p95Ms: 120 };
      await recordCalls(api.db, { name: "pagerduty", stats, by: "healdec", at });
      await putOpen(api.db, "slack");
      const reply = await api.as("viewer", { url: STATUS });
      expect(reply.json()).toMatchObject({
        ...{ state: "open", tokens: 0, successRate: null, p95Latency: null },
        dependencies: [
          { name: "pagerduty", state: "closed", successRate: 0.9, p95Latency: 120 },
          {
            name: "slack",
            state: "open",
            reason: "5 of 5 calls failed",
            next_at: "2030-01-28T12:00:30.000Z",
            gate_until: "2030-01-28T12:01:00.000Z",
            changed_by: "healdec",
          },
        ],
      });
    }));
});

describe("closing a breaker (EP-19)", () => {
  it("takes an admin and a reason, and is audited; a gate stays unless it is meant too", () =>
    withOrders(async (api) => {
      await putOpen(api.db, "slack");
      const wish = { dependency: "slack", reason: "status page is green" };
      expect((await post(api, RESET, wish, "operator")).statusCode).toBe(403);
      expect((await post(api, RESET, { dependency: "slack" })).statusCode).toBe(422);
      expect((await post(api, RESET, wish)).json()).toMatchObject({
        state: "closed",
        dependencies: [{ state: "closed", gate_until: "2030-01-28T12:01:00.000Z" }],
      });
      await post(api, RESET, { reason: "they said so", gate: true });
      const [row] = await listDependencies(api.db);
      expect(row).toMatchObject({ breaker: CLOSED, changedBy: "api:test-admin" });
      const audit = await readAuditOfTarget(api.db, "dependency:slack");
      expect(audit.map(({ actor, details }) => [actor, details.reason])).toEqual([
        ["api:test-admin", "status page is green"],
        ["api:test-admin", "they said so"],
      ]);
    }));

  it("of what is not there says so, and works in safe mode", () =>
    withOrders(async (api) => {
      await enterSafeMode(api.db, { reason: "test", by: "test" });
      const reply = await post(api, RESET, { dependency: "slak", reason: "x" });
      expect([reply.statusCode, reply.json().detail]).toEqual([
        404,
        'There is no breaker of "slak" to change; did you mean "slack"?',
      ]);
    }));
});

describe("forcing a breaker open (EP-20)", () => {
  it("opens it for that long in local mode", () =>
    withOrders(async (api) => {
      const reply = await post(api, FORCE, { dependency: "github", durationMs: 300_000 });
      expect(reply.json()).toMatchObject({ state: "open" });
      const [row] = await listDependencies(api.db);
      const leftMs = row!.breaker.nextAt!.getTime() - systemClock.now().getTime();
      expect(leftMs > 200_000 && leftMs <= 300_000).toBe(true);
      expect(await readAuditOfTarget(api.db, "dependency:github")).toMatchObject([
        { action: "breaker.forced-open", details: { duration_ms: 300_000 } },
      ]);
      expect((await post(api, FORCE, { dependency: "hub", durationMs: 1 })).statusCode).toBe(404);
      expect((await post(api, FORCE, { dependency: "github", durationMs: 0 })).statusCode).toBe(
        422,
      );
    }));

  it("does not exist anywhere else", () =>
    withOrders(async (api) => {
      const reply = await post(api, FORCE, { dependency: "github", durationMs: 1_000 });
      expect([reply.statusCode, reply.json().code]).toEqual([404, "not-found"]);
      expect(makeDeps(api.db).config.environment).toBe("local");
    }, "staging"));
});
