import { describe, expect, it } from "vitest";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { systemClock } from "../../src/base/clock.js";
import type { Cache } from "../../src/job/port.js";
import { listAudit } from "../../src/store/audit.js";
import { withApi } from "./harness.js";

const STATS = { url: "/api/admin/cache-stats" } as const;
const warm = (payload?: object) =>
  ({ method: "POST", url: "/api/cache/warm", ...(payload ? { payload } : {}) }) as const;
const silent = async () => null;

describe("the cache over the API", () => {
  it("tells an admin its size, age and use (EP-17)", async () => {
    const cache = createMemoryCache(systemClock);
    await withApi(
      async ({ as }) => {
        expect((await as("operator", STATS)).statusCode).toBe(403);
        expect((await as("admin", STATS)).json()).toMatchObject({
          ...{ store: "memory", keys: 0, hit_rate: null, oldest_entry: null },
        });
        await cache.set("a", { n: 1 }, 60_000);
        for (const key of ["a", "a", "a", "b"]) await cache.get(key);
        expect((await as("admin", STATS)).json()).toEqual({
          ...{ store: "memory", keys: 1, complete: true, hits: 3, misses: 1, hit_rate: 0.75 },
          oldest_entry: expect.stringMatching(/^\d{4}-.*Z$/),
          memory_bytes: 7,
        });
      },
      { cache },
    );
  });

  it("is warmed by an admin, as far as asked, audited (EP-16)", async () => {
    const asked: number[] = [];
    const warmCache = async (limit: number) => {
      asked.push(limit);
      return { entries: 7, kept: 7 };
    };
    await withApi(
      async ({ as, db }) => {
        expect((await as("operator", warm())).statusCode).toBe(403);
        const wrong = await as("admin", warm({ limit: 1_001 }));
        expect([wrong.statusCode, wrong.json().errors[0].pointer]).toEqual([422, "/limit"]);
        const reply = await as("admin", warm());
        expect([reply.statusCode, reply.json()]).toEqual([200, { count: 7 }]);
        await as("admin", warm({ limit: 5 }));
        expect(asked).toEqual([100, 5]);
        const [latest, first] = await listAudit(db, { limit: 9 });
        expect(first).toMatchObject({ actor: "api:test-admin", action: "cache.warmed" });
        expect(latest).toMatchObject({ details: { limit: 5, entries: 7 } });
      },
      { warmCache },
    );
  });

  it("is 503 with its own code while Redis is away, and says what was kept", async () => {
    const away: Cache = { ...createMemoryCache(systemClock), stats: silent, reads: silent };
    await withApi(
      async ({ as, db }) => {
        for (const request of [STATS, warm()]) {
          const reply = await as("admin", request);
          expect([reply.statusCode, reply.json().code]).toEqual([503, "cache-unavailable"]);
          expect(reply.headers["retry-after"]).toBe("5");
        }
        expect(await listAudit(db, { limit: 9 })).toEqual([]);
      },
      { cache: away, warmCache: async () => ({ entries: 9, kept: 2 }) },
    );
  });
});
