import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import { routes as botRoutes } from "../../src/bot/routes.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { ACCESS } from "../../src/web/access.js";
import { until } from "../support/until.js";
import { noDatabase, withServer } from "./harness.js";

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
        const held = Array.from({ length: 32 }, (_, n) =>
          app.inject({ ...command, remoteAddress: `192.0.2.${n % 4}` }),
        );
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

  it("take eight deliveries at once of one caller, so that it cannot shut them for the others", () => {
    const open: (() => void)[] = [];
    const doors = (app: FastifyInstance) => {
      rawBodies(app);
      app.post("/slack/commands", () => new Promise((resolve) => open.push(() => resolve("ok"))));
    };
    return withServer(
      async (app) => {
        const held = Array.from({ length: 8 }, () => app.inject(command));
        await until(() => open.length === 8, "all deliveries are in flight");
        expect((await app.inject(command)).json()).toMatchObject({ code: "rate-limited" });
        held.push(app.inject({ ...command, remoteAddress: "192.0.2.7" }));
        await until(() => open.length === 9, "another caller is let in");
        for (const release of open) release();
        for (const reply of await Promise.all(held)) expect(reply.statusCode).toBe(200);
      },
      { doors },
    );
  });

  it("give the place of who dribbles its body to the next", () => {
    // Time passes for the deadline alone, and only when it is told to.
    let pass: (() => void) | null = null;
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) =>
        ms === 10_000
          ? new Promise((resolve) => {
              pass = resolve;
            })
          : systemClock.sleep(ms, signal),
    };
    const doors = (app: FastifyInstance) => {
      rawBodies(app);
      app.post("/slack/commands", async () => "ok");
    };
    return withServer(
      async (app) => {
        await app.listen({ host: "127.0.0.1", port: 0 });
        const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
        let answer = "";
        socket.setEncoding("utf8").on("data", (chunk) => {
          answer += chunk;
        });
        socket.write("POST /slack/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nteam");
        const passed = await until(() => pass, "the request has begun");
        passed();
        await once(socket, "close");
        expect(answer).toMatch(/^HTTP\/1\.1 408 /);
        expect(answer).toContain('"code":"request-timeout"');
      },
      { doors, clock },
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
