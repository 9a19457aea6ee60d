import { describe, expect, it } from "vitest";
import { withApi, withServer } from "./harness.js";

describe("health", () => {
  const report = (status: "healthy" | "degraded" | "unhealthy") => ({
    health: async () => ({
      status,
      timestamp: "2026-03-01T12:00:00.000Z",
      services: { redis: "memory" },
    }),
  });

  it.each([
    ["healthy", 200],
    ["degraded", 200],
    ["unhealthy", 503],
  ] as const)("that is %s answers %i, without a token, on both paths (EP-01)", (status, code) =>
    withServer(async (app) => {
      for (const url of ["/health", "/api/health"]) {
        const reply = await app.inject(url);
        expect(reply.statusCode).toBe(code);
        expect(reply.headers["content-type"]).toContain("application/json");
        expect(reply.json()).toMatchObject({ status, services: { redis: "memory" } });
      }
    }, report(status)),
  );

  it("that cannot be told is 503 with the reason", () =>
    withServer(
      async (app) => {
        const reply = await app.inject("/health");
        expect(reply.statusCode).toBe(503);
        expect(reply.json()).toMatchObject({
          status: "unhealthy",
          reason: expect.stringContaining("no pulse"),
        });
      },
      { health: () => Promise.reject(new Error("no pulse")) },
    ));

  it("asked by many at once is looked at once", async () => {
    let asked = 0;
    const { health } = report("healthy");
    const counting = async () => {
      asked += 1;
      return health();
    };
    await withServer(
      async (app) => {
        await Promise.all(Array.from({ length: 20 }, () => app.inject("/health")));
        expect(asked).toBe(1);
      },
      { health: counting },
    );
  });

  it("of the process alone never asks the database (X-60)", () =>
    withServer(async (app) => {
      const reply = await app.inject("/health/live");
      expect(reply.statusCode).toBe(200);
      expect(reply.json()).toEqual({ status: "live" });
    }));
});

describe("metrics", () => {
  it.each(["/metrics", "/api/about/metrics/prometheus"])(
    "at %s are open inside the network, and to viewers from outside (EP-24)",
    (url) =>
      withApi(async ({ app, as }) => {
        for (const remoteAddress of ["127.0.0.1", "10.0.3.7", "::ffff:10.0.3.7", "::1"]) {
          const reply = await app.inject({ url, remoteAddress });
          expect(reply.statusCode).toBe(200);
          expect(reply.headers["content-type"]).toContain("text/plain");
          expect(reply.body).toBe("up 1\n");
        }
        const outside = { url, remoteAddress: "192.0.2.7" };
        expect((await app.inject(outside)).statusCode).toBe(401);
        expect((await as("viewer", outside)).statusCode).toBe(200);
      }),
  );

  it("are not open to the world because a balancer stands inside", () =>
    withServer(async (app) => {
      for (const name of ["x-forwarded-for", "x-real-ip", "forwarded", "via"]) {
        const reply = await app.inject({ url: "/metrics", headers: { [name]: "10.0.0.1" } });
        expect([name, reply.statusCode]).toEqual([name, 401]);
      }
    }));

  it("count requests by route pattern, never by path", () =>
    withApi(async ({ as, observed }) => {
      await as("viewer", { url: "/api/v1/jobs/job-77" });
      await as("viewer", { url: "/wp-login.php" });
      expect(observed).toMatchObject([
        { method: "GET", route: "/api/v1/jobs/:id", status: 404 },
        { method: "GET", route: "unmatched", status: 404 },
      ]);
      expect(observed.every(({ durationMs }) => durationMs >= 0)).toBe(true);
    }));
});
