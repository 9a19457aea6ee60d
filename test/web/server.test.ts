import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import { routes as botRoutes } from "../../src/bot/routes.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import type { Database } from "../../src/store/database.js";
import { ACCESS, routeKey } from "../../src/web/access.js";
import { createServer } from "../../src/web/server.js";
import { until } from "../support/until.js";
import { type Api, makeDeps, type Overrides, tokenFor, withApi } from "./harness.js";

const unreachable = () =>
  Promise.reject(fault.transient("DATABASE_UNAVAILABLE", "connect ECONNREFUSED 10.1.2.3:5432"));
const noDatabase: Database = {
  query: unreachable,
  transaction: unreachable,
  connect: unreachable,
  close: async () => {},
};

/** For what needs no database: a server alone. */
async function withServer(
  test: (app: FastifyInstance) => Promise<void>,
  overrides: Overrides = {},
): Promise<void> {
  const app = await createServer(makeDeps(noDatabase, overrides));
  try {
    await test(app);
  } finally {
    await app.close();
  }
}

/** Sends bytes as they are and returns all that comes back. */
async function exchange(app: FastifyInstance, bytes: string): Promise<string> {
  if (!app.server.listening) await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  await once(socket, "close");
  return answer;
}

describe("the server does not start", () => {
  it("with a route that the access table does not know", async () => {
    const doors = (app: FastifyInstance) => {
      app.get("/api/v1/secrets", async () => "secret");
    };
    await expect(createServer(makeDeps(noDatabase, { doors }))).rejects.toThrow(/access table/);
  });
});

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
      const headers = { "x-forwarded-for": "10.0.0.1" };
      expect((await app.inject({ url: "/metrics", headers })).statusCode).toBe(401);
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

describe("without its database", () => {
  it.each([
    ["GET", "/api/v1/jobs"],
    ["GET", "/api/queue/stats"],
    ["POST", "/api/v1/jobs"],
    ["POST", "/api/v1/jobs/job-1/retry"],
  ] as const)("%s %s is 503 with a code and a time to come back, not 500", async (method, url) => {
    const headers = { authorization: `Bearer ${await tokenFor("admin")}` };
    await withServer(async (app) => {
      const payload =
        method === "POST" && url.endsWith("jobs") ? { job_type: "gc", payload: {} } : undefined;
      const reply = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
      expect(reply.statusCode).toBe(503);
      expect(reply.json()).toMatchObject({ code: "database-unavailable" });
      expect(reply.headers["retry-after"]).toBe("5");
      expect(reply.body).not.toContain("10.1.2.3");
    });
  });
});

describe("on the wire", () => {
  it("what is not HTTP is answered with a problem and the end of the connection", () =>
    withServer(async (app) => {
      const answer = await exchange(app, "EHLO mail.example\r\n\r\n");
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain("application/problem+json");
      expect(answer).toContain('"code":"malformed-request"');
    }));

  it("headers without end are 431", () =>
    withServer(async (app) => {
      const answer = await exchange(
        app,
        `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 431 /);
      expect(answer).toContain('"code":"headers-too-large"');
    }));

  it("a path with a host before it is limited like the path", () =>
    withServer(
      async (app) => {
        const ask = "GET http://x/api/v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        expect(await exchange(app, ask)).toMatch(/^HTTP\/1\.1 401 /);
        expect(await exchange(app, ask)).toMatch(/^HTTP\/1\.1 429 /);
      },
      { config: { rateLimitPerMinute: 1 } },
    ));

  it("no header tells what software this is", () =>
    withServer(async (app) => {
      const reply = await app.inject("/health/live");
      expect(Object.keys(reply.headers)).not.toContain("server");
      expect(Object.keys(reply.headers)).not.toContain("x-powered-by");
      expect(reply.headers["x-content-type-options"]).toBe("nosniff");
    }));

  it("a request in flight ends well while the server closes", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const health = async () => {
      entered();
      await gate;
      return { status: "healthy" as const, timestamp: "2026-03-01T12:00:00.000Z", services: {} };
    };
    const app = await createServer(makeDeps(noDatabase, { health }));
    const base = await app.listen({ host: "127.0.0.1", port: 0 });
    const answer = fetch(`${base}/health`);
    await inside;
    const closed = app.close();
    release();
    expect((await answer).status).toBe(200);
    await closed;
    await expect(fetch(`${base}/health`)).rejects.toThrow();
  });
});

describe("the signed doors of another room", () => {
  const rawBodies = (app: FastifyInstance) =>
    app.addContentTypeParser("*", { parseAs: "buffer" }, async (_: unknown, body: Buffer) => body);
  const command = { method: "POST", url: "/slack/commands", payload: '{"a":1}' } as const;

  it("get raw bytes and need no token", () => {
    const doors = (app: FastifyInstance) => {
      rawBodies(app);
      app.post("/slack/commands", async ({ body }) => ({ bytes: (body as Buffer).length }));
    };
    return withServer(
      async (app) => {
        const headers = { "content-type": "application/json" };
        expect((await app.inject({ ...command, headers })).json()).toEqual({ bytes: 7 });
      },
      { doors },
    );
  });

  it("take 32 deliveries at once and turn away the next, until one is done", () => {
    const open: (() => void)[] = [];
    const doors = (app: FastifyInstance) => {
      rawBodies(app);
      app.post("/slack/commands", () => new Promise((resolve) => open.push(() => resolve("ok"))));
    };
    return withServer(
      async (app) => {
        const held = Array.from({ length: 32 }, () => app.inject(command));
        await until(() => open.length === 32, "all deliveries are in flight");
        const turnedAway = await app.inject(command);
        expect(turnedAway.statusCode).toBe(503);
        expect(turnedAway.json()).toMatchObject({ code: "busy" });
        for (const release of open) release();
        await Promise.all(held);
        const next = app.inject(command);
        await until(() => open.length === 33, "there is room again");
        open.at(-1)?.();
        expect((await next).statusCode).toBe(200);
      },
      { doors },
    );
  });

  it("that fail answer 500 without a word of the cause, which is in the log", async () => {
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    const log = createLogger({ level: "debug", clock: systemClock, redact: (text) => text, write });
    const doors = (app: FastifyInstance) => {
      rawBodies(app);
      app.post("/slack/commands", async () => {
        throw new Error("a path and a stack");
      });
    };
    await withServer(
      async (app) => {
        const headers = {
          authorization: "Bearer very.secret.token",
          "x-slack-signature": "v0=abc",
        };
        const reply = await app.inject({ ...command, headers });
        expect(reply.statusCode).toBe(500);
        expect(reply.body).not.toContain("a path");
        const failed = lines
          .map((line) => JSON.parse(line))
          .find(({ event }) => event === "request.failed");
        expect(failed).toMatchObject({
          level: "error",
          code: "internal",
          error: "a path and a stack",
        });
        expect(reply.json().instance).toBe(`urn:uuid:${failed.request_id}`);
        expect(lines.join()).not.toMatch(/very\.secret|v0=abc/);
      },
      { doors, log },
    );
  });
});

describe("the access table", () => {
  it("holds no route that nobody registers, and knows all doors of chat and paging", async () => {
    const registered = new Set<string>(["OPTIONS *"]);
    const doors = async (app: FastifyInstance) => {
      const closed = { db: noDatabase, clock: systemClock, log: silentLogger };
      const secrets = { slackSigningSecret: null, pagerdutySecrets: [] };
      await botRoutes(app, { ...closed, ...secrets, registry: new RunbookRegistry([]) });
    };
    await withServer(
      async (app) => {
        for (const key of Object.keys(ACCESS)) {
          const [method, url] = key.split(" ") as ["GET" | "POST", string];
          if (app.hasRoute({ method, url })) registered.add(key);
        }
        expect(Object.keys(ACCESS).filter((key) => !registered.has(key))).toEqual([]);
        const closed = await app.inject({ method: "POST", url: "/slack/commands" });
        expect(closed.statusCode).toBe(503);
        expect(closed.json()).toMatchObject({ code: "not-configured" });
      },
      { doors },
    );
  });
});

interface Operation {
  readonly responses: object;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly security?: readonly object[];
}

describe("what the API says about itself", () => {
  it("is OpenAPI that lists every route with what it needs", () =>
    withServer(async (app) => {
      const document = (await app.inject("/documentation/json")).json();
      expect(document.openapi).toMatch(/^3\./);
      const described = Object.entries<Record<string, { security?: object[] }>>(
        document.paths,
      ).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { security }]) => ({
          key: routeKey(method.toUpperCase(), path.replace(/\{(\w+)\}/g, ":$1")),
          open: security?.length === 0,
        })),
      );
      const own = Object.entries(ACCESS)
        .filter(([key]) => !/^OPTIONS|slack|pagerduty/.test(key))
        .map(([key, { need }]) => ({ key, open: need === "none" || need === "signature" }));
      const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
      expect(described.sort(byKey)).toEqual(own.sort(byKey));
    }));

  it("resolves every reference and describes each answer", () =>
    withServer(async (app) => {
      const document = (await app.inject("/documentation/json")).json();
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
      for (const [, path] of references) {
        const target = path!.split("/").reduce((node, key) => node?.[key], document);
        expect(target, path).toBeDefined();
      }
      for (const [path, methods] of Object.entries<Record<string, Operation>>(document.paths)) {
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        for (const { responses, parameters = [] } of Object.values(methods)) {
          expect(Object.keys(responses)).toContain("default");
          const declared = parameters.filter((one) => one.in === "path").map(({ name }) => name);
          expect(declared).toEqual(inPath);
        }
      }
    }));

  it("is a page that names the endpoints (EP-28)", () =>
    withServer(async (app) => {
      const page = await app.inject("/");
      expect(page.headers["content-type"]).toContain("text/html");
      expect(page.body).toContain("POST /api/v1/jobs");
      expect(page.body).toContain("/documentation/json");
      expect((await app.inject({ method: "HEAD", url: "/" })).statusCode).toBe(200);
    }));
});
