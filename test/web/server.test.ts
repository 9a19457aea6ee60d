import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { createServer } from "../../src/web/server.js";
import { until } from "../support/until.js";
import { makeDeps, noDatabase, tokenFor, withServer } from "./harness.js";

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

  it("a caller that is refused and does not hang up is hung up on", () =>
    withServer(async (app) => {
      await app.listen({ host: "127.0.0.1", port: 0 });
      const { port } = app.server.address() as AddressInfo;
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => socket.destroy());
      socket.write("EHLO mail.example\r\n\r\n");
      await once(socket.resume(), "end");
      const open = () =>
        new Promise<number>((resolve, reject) => {
          app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
        });
      await until(async () => (await open()) === 0, "the server holds no connection");
      socket.destroy();
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
