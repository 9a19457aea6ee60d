/** A process that starts while the database is away: it waits so long, says so in its log and at its door, and then goes on or ends. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { createLogger } from "../../src/base/log.js";
import { whenDatabaseAnswers } from "../../src/main/await-database.js";
import { waitAtDoor } from "../../src/main/waiting-door.js";
import { startRuntime } from "../../src/main.js";
import { readConfig } from "../../src/runtime/config.js";
import { withDatabase } from "../support/database.js";
import { layLine } from "../support/flaky-line.js";
import { freePort } from "../support/redis-server.js";
import { until } from "../support/until.js";

const AWAY = fault.transient("DATABASE_UNAVAILABLE", "the database does not answer");
const away = () => Promise.reject(AWAY);
const never = new AbortController().signal;

/** Time that passes by being slept. */
function makeClock(): Clock {
  let nowMs = 0;
  const sleep = async (ms: number) => {
    nowMs += ms;
  };
  return { now: () => new Date(nowMs), sleep };
}

function makeWaiting() {
  const lines: string[] = [];
  const clock = makeClock();
  const write = (line: string) => lines.push(line);
  const log = createLogger({ level: "info", clock, redact: (text) => text, write, fields: {} });
  return { lines, waiting: { clock, log, ending: never } };
}

describe("waiting", () => {
  test("ends at its limit with the last failure, after a line each few seconds", async () => {
    const { lines, waiting } = makeWaiting();
    await expect(whenDatabaseAnswers(away, { ...waiting, limitMs: 60_000 })).rejects.toBe(AWAY);
    expect(waiting.clock.now().getTime()).toBe(60_000);
    expect(lines).toHaveLength(12);
    expect(lines[0]).toContain("database.awaited");
  });

  test("without a limit of its own, such as a worker's, goes on until there is an answer", async () => {
    const { waiting } = makeWaiting();
    let asked = 0;
    const ask = async () => (++asked > 1_000 ? "there" : away());
    expect(await whenDatabaseAnswers(ask, waiting)).toBe("there");
  });

  test.each([
    ["another failure", { limitMs: 60_000 }, fault.data("POLICY_INVALID", "no")],
    ["a limit of 0", { limitMs: 0 }, AWAY],
    ["its end", { limitMs: 60_000, ending: AbortSignal.abort() }, AWAY],
  ])("is none after %s", async (_what, more, failure) => {
    const { lines, waiting } = makeWaiting();
    const asked = whenDatabaseAnswers(() => Promise.reject(failure), { ...waiting, ...more });
    await expect(asked).rejects.toBe(failure);
    expect(lines).toEqual([]);
  });
});

describe("the door", () => {
  test("whose address another has is passed over: the failure is the database's", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const { waiting } = makeWaiting();
    const http = { host: "127.0.0.1", port };
    await expect(waitAtDoor(away, { ...waiting, http, limitMs: 5_000 })).rejects.toBe(AWAY);
    other.close();
  });

  let stop = async () => {};
  afterEach(() => stop());

  test("of the real program says 503 and why while the server is away, then the API has it", () =>
    withDatabase(async (_db, databaseUrl) => {
      const home = await mkdtemp(join(tmpdir(), "algobrain-waiting-"));
      const line = await layLine(databaseUrl);
      await line.cut();
      const port = await freePort();
      const env = {
        ...{ DATABASE_URL: line.url, DATABASE_WAIT_SECONDS: "60", PORT: String(port) },
        ...{ ALGOBRAIN_HOME: home, JWT_SECRET: "x".repeat(40), LOG_LEVEL: "warn" },
      };
      const read = readConfig(env);
      if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("\n"));
      const said: string[] = [];
      const starting = startRuntime({
        ...{ config: read.value, role: "api", lane: null, kinds: null, env },
        ...{ packageRoot: process.cwd(), cwd: process.cwd() },
        ...{ writeLog: (text) => said.push(text), onFatal: () => {} },
      });
      const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
      await until(
        async () =>
          ask("/health").then(
            () => true,
            () => false,
          ),
        "the door is open",
      );
      const health = await ask("/health?now");
      expect(health.status).toBe(503);
      expect(await health.json()).toMatchObject({
        ...{ status: "unhealthy", reason: "waiting for the database" },
        services: { database: "down" },
      });
      const hook = await fetch(`http://127.0.0.1:${port}/webhooks/pagerduty`, { method: "POST" });
      expect([hook.status, hook.headers.get("retry-after")]).toEqual([503, "5"]);
      expect(await hook.json()).toMatchObject({ code: "database-unavailable" });
      expect(said.join("")).toContain("database.awaited");

      await line.mend();
      const runtime = await starting;
      stop = async () => {
        await runtime.stop();
        await line.close();
        await rm(home, { recursive: true, force: true });
      };
      expect(runtime.url).toBe(`http://127.0.0.1:${port}`);
      expect(await (await ask("/health")).json()).toMatchObject({ services: { database: "up" } });
      expect((await ask("/api/v1/runs")).status).toBe(401);
      await stop();
      stop = async () => {};
    }));
});

test.each([
  [{}, 0],
  [{ ALGOBRAIN_ENV: "staging" }, 60_000],
  [{ DATABASE_WAIT_SECONDS: "5" }, 5_000],
  [{ ALGOBRAIN_ENV: "staging", DATABASE_WAIT_SECONDS: "0" }, 0],
])("with %j a start waits %d ms", (env, ms) => {
  const urls = { DATABASE_URL: "postgresql://127.0.0.1/x", JWT_SECRET: "x".repeat(40) };
  const read = readConfig({ ...urls, ...env });
  expect(read.ok && read.value.database.startWaitMs).toBe(ms);
});
