import { describe, expect, it } from "vitest";
import { type Api, withApi, withServer } from "./harness.js";

describe("the rate limit", () => {
  const limited = { config: { rateLimitPerMinute: 3 } };
  const list = { method: "GET", url: "/api/v1/jobs" } as const;
  const statuses = async (api: Api, ...requests: Parameters<Api["as"]>[]) => {
    const seen: number[] = [];
    for (const [role, request] of requests) seen.push((await api.as(role, request)).statusCode);
    return seen;
  };

  it("answers 429 with Retry-After to the one who asks too often, and to no other (HB-env-25)", () =>
    withApi(async (api) => {
      const mine = Array(4).fill(["viewer", list]);
      expect(await statuses(api, ...mine)).toEqual([200, 200, 200, 429]);
      const reply = await api.as("viewer", list);
      expect(reply.json()).toMatchObject({ code: "rate-limited" });
      expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
      expect(Number(reply.headers["retry-after"])).toBeLessThanOrEqual(60);
      expect((await api.as("admin", list)).statusCode).toBe(200);
    }, limited));

  it("counts wrong tokens and unknown paths by address", () =>
    withApi(async (api) => {
      const guess = { ...list, headers: { authorization: "Bearer x.y.z" } };
      const probe = { method: "GET", url: "/api/v1/secrets" } as const;
      const asked: Parameters<Api["as"]>[] = [
        [null, guess],
        [null, list],
        [null, probe],
        [null, guess],
      ];
      expect(await statuses(api, ...asked)).toEqual([401, 401, 404, 429]);
    }, limited));

  it("leaves health and metrics alone", () =>
    withApi(async (api) => {
      for (const url of ["/api/health", "/api/about/metrics/prometheus"]) {
        expect(await statuses(api, ...Array(5).fill([null, { url }]))).toEqual(Array(5).fill(200));
      }
    }, limited));
});

describe("CORS", () => {
  const listed = "https://dashboard.example";
  const cors = { config: { corsOrigins: [listed] } };
  const preflight = (origin: string) => ({
    method: "OPTIONS" as const,
    url: "/api/v1/jobs",
    headers: { origin, "access-control-request-method": "POST" },
  });

  it("lets a listed origin in, also to read a refusal, and no other (HB-env-26)", () =>
    withServer(async (app) => {
      const allowed = await app.inject(preflight(listed));
      expect(allowed.statusCode).toBe(204);
      expect(allowed.headers["access-control-allow-origin"]).toBe(listed);
      const refusal = await app.inject({ url: "/api/v1/jobs", headers: { origin: listed } });
      expect([refusal.statusCode, refusal.headers["access-control-allow-origin"]]).toEqual([
        401,
        listed,
      ]);
      const other = await app.inject(preflight("https://evil.example"));
      expect(other.headers["access-control-allow-origin"]).toBeUndefined();
    }, cors));

  it("is off without a list", () =>
    withServer(async (app) => {
      const reply = await app.inject(preflight(listed));
      expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
    }));
});
