/** Two APIs and an orchestrator of the real program on one Redis: what they share by it, and its death among them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRedisCache } from "../../src/adapter/redis-cache.js";
import { connectRedis } from "../../src/adapter/redis-connection.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { type Close, openInOrder } from "../../src/base/open-in-order.js";
import { type ServedRole, startRuntime } from "../../src/main.js";
import type { Role } from "../../src/policy/policy.js";
import { readConfig } from "../../src/runtime/config.js";
import type { Database } from "../../src/store/database.js";
import { readWindows } from "../../src/store/samples.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase } from "../support/database.js";
import {
  NEEDS_REDIS,
  type RedisServer,
  redisProgram,
  startRedisServer,
} from "../support/redis-server.js";
import { until } from "../support/until.js";

const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url));
const JWT_SECRET = "a-secret-for-tests-that-is-long-enough";
const PER_MINUTE = 6;
const JOBS = "/api/v1/jobs";

interface World {
  readonly db: Database;
  readonly server: RedisServer;
  readonly urls: readonly [string, string];
  readonly log: string[];
  close: Close;
}

function build(): Promise<World> {
  return openInOrder(async (opened) => {
    const home = await mkdtemp(join(tmpdir(), "algobrain-redis-flow-"));
    opened.push(() => rm(home, { recursive: true, force: true }));
    const { db, url, drop } = await createTestDatabase();
    opened.push(drop);
    const server = await startRedisServer();
    opened.push(() => server.close());
    await server.kill();
    const log: string[] = [];
    const env = {
      ...{ ALGOBRAIN_HOME: home, DATABASE_URL: url, REDIS_URL: server.url, PORT: "0" },
      ...{ JWT_SECRET, API_RATE_LIMIT_PER_MINUTE: String(PER_MINUTE) },
    };
    const start = async (role: ServedRole) => {
      const runtime = await serve(role, env, log);
      opened.push(() => runtime.stop());
      return runtime.url ?? "";
    };
    await start("orchestrator");
    return { db, server, log, urls: [await start("api"), await start("api")] as const };
  });
}

function serve(role: ServedRole, env: Readonly<Record<string, string>>, log: string[]) {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  return startRuntime({
    ...{ config: read.value, env, role, lane: null, kinds: null, samplesEveryMs: 200 },
    ...{ packageRoot: PACKAGE_ROOT, cwd: PACKAGE_ROOT },
    writeLog: (line) => log.push(line),
    onFatal: (why) => log.push(why),
  });
}

async function ask(url: string, subject: string, role: Role, init: RequestInit = {}) {
  const claims = { subject, role, ttlMs: 60_000, now: systemClock.now() };
  const headers = {
    authorization: `Bearer ${await signToken(claims, [JWT_SECRET])}`,
    ...(init.body ? { "content-type": "application/json" } : {}),
  };
  return fetch(url, { ...init, headers, signal: AbortSignal.timeout(10_000) });
}

/** Statuses of requests one after the other, to each place in turn. */
async function statuses(urls: readonly string[], subject: string, count: number) {
  const seen: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const reply = await ask(`${urls[i % urls.length]}${JOBS}`, subject, "viewer");
    await reply.arrayBuffer();
    seen.push(reply.status);
  }
  return seen;
}

/**
 * A caller for whom all requests were counted together. On a busy machine Redis may miss its bound now and then, and
 * then each process rightly counts alone: another caller is taken.
 */
function untilShared(urls: readonly string[], name: string): Promise<string> {
  let tries = 0;
  return until(async () => {
    tries += 1;
    const caller = `${name}-${tries}`;
    const seen = await statuses(urls, caller, PER_MINUTE + 2);
    return seen.join() === [...fine, 429, 429].join() && caller;
  }, "the requests of one caller are counted together");
}

/** Of an admin, as soon as Redis was quick enough. */
function untilAnswered(url: string, init: RequestInit = {}): Promise<unknown> {
  let tries = 0;
  return until(async () => {
    tries += 1;
    const reply = await ask(url, `admin-${tries}`, "admin", init);
    const body: unknown = await reply.json();
    return reply.ok && body;
  }, `${url} answers`);
}

async function redisIn(url: string): Promise<string> {
  const reply = await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) });
  const { services } = (await reply.json()) as { services: { redis: string } };
  return services.redis;
}

const fine = Array(PER_MINUTE).fill(200);

describe.skipIf(redisProgram === null)(`${NEEDS_REDIS} the service`, () => {
  let world: World;
  const said = (event: string) => world.log.filter((line) => line.includes(`"${event}"`)).length;
  beforeAll(async () => {
    world = await build();
  });
  afterAll(() => world?.close());

  test("starts without Redis, and finds it when it comes (HB-env-04)", async () => {
    for (const url of world.urls) expect(await redisIn(url)).toBe("down");
    await world.server.start();
    // Two APIs and the orchestrator.
    await until(() => said("redis.back") === 3, "all have found it");
    for (const url of world.urls)
      await until(async () => (await redisIn(url)) === "up", "/health says so");
  });

  test("counts a caller over all of its processes (HB-env-25)", async () => {
    const { urls } = world;
    const ann = await untilShared(urls, "ann");
    for (const url of urls) {
      const reply = await ask(`${url}${JOBS}`, ann, "viewer");
      expect(reply.status).toBe(429);
      expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(Number(reply.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    }
    expect(await statuses(urls, "bob", 1)).toEqual([200]);
  });

  test("is warmed, with the times to live of the handbook, and its hit rate is sampled (HB-wrk-17)", async () => {
    const { db, urls, server } = world;
    await db.query("INSERT INTO repos (id, name, location) VALUES ('repo-1', 'one', '/srv/one')");
    await db.query("INSERT INTO scores (repo_id, score) VALUES ('repo-1', 81)");
    const warm = { method: "POST", body: JSON.stringify({ limit: 10 }) };
    expect(await untilAnswered(`${urls[0]}/api/cache/warm`, warm)).toEqual({ count: 2 });
    const raw = new Redis(server.url);
    for (const [key, ttlMs] of [
      ["algobrain:repo:scores:latest:repo-1", 300_000],
      ["algobrain:repo:metadata:repo-1", 3_600_000],
    ] as const) {
      const left = await raw.pttl(key);
      expect([key, left > ttlMs - 20_000 && left <= ttlMs]).toEqual([key, true]);
    }
    raw.disconnect();

    const options = {
      url: server.url,
      password: null,
      tls: false,
      name: "a-worker",
      answerMaxMs: 5_000,
    };
    const worker = connectRedis({
      ...options,
      ...{ clock: systemClock, log: silentLogger, random: () => 0.5 },
    });
    await until(() => worker.answers(), "the worker is connected");
    // A rate is between two looks at the counters: the first has to be before the reads.
    const since = new Date();
    await until(async () => {
      const looked = [{ metric: "algobrain.jobs.pending", from: since }];
      return (await readWindows(db, looked, new Date())).length > 0;
    }, "the leader has looked at everything");
    const cache = createRedisCache(worker, systemClock);
    for (let i = 0; i < 20; i += 1) await cache.get(`repo:metadata:repo-${i % 4 === 0 ? 2 : 1}`);
    await worker.close();
    const from = new Date(Date.now() - 60_000);
    const metric = "algobrain.cache.hit_rate";
    await until(async () => {
      const [series] = await readWindows(db, [{ metric, from }], new Date());
      return series?.points.at(-1)?.value === 0.75;
    }, "the hit rate is sampled");
    expect(await untilAnswered(`${urls[1]}/api/admin/cache-stats`)).toMatchObject({
      ...{ store: "redis", keys: 2, hits: 15, misses: 5, hit_rate: 0.75 },
    });
  });

  test("goes on when Redis is killed, says so, limits by process, and finds it again by itself", async () => {
    const { urls, server, log } = world;
    const under = Promise.all(
      Array.from({ length: 3 * PER_MINUTE }, async (_, i) => {
        const reply = await ask(`${urls[i % 2]}${JOBS}`, `caller-${i % 6}`, "viewer");
        await reply.arrayBuffer();
        return reply.status;
      }),
    );
    await server.kill();
    expect(new Set(await under)).toEqual(new Set([200]));
    for (const url of urls) {
      await until(async () => (await redisIn(url)) === "down", "/health says so");
      const reply = await fetch(`${url}/health`);
      expect([reply.status, await reply.json()]).toMatchObject([200, { status: "degraded" }]);
      // Its own count: as many as before, and no more.
      expect(await statuses([url], "cyd", PER_MINUTE + 1)).toEqual([...fine, 429]);
    }
    const stats = await ask(`${urls[0]}/api/admin/cache-stats`, "ada", "admin");
    expect([stats.status, await stats.json()]).toMatchObject([503, { code: "cache-unavailable" }]);

    await server.start();
    for (const url of urls) await until(async () => (await redisIn(url)) === "up", "it is back");
    await untilShared(urls, "dan");
    await until(() => said("redis.back") === 6, "all are back");
    // Once an outage, from each of the three processes.
    expect(said("redis.lost")).toBe(6);
    expect(log.filter((line) => line.includes('"code":"internal"'))).toEqual([]);
    expect(log.filter((line) => line.includes("setting.unused"))).toEqual([]);
  });
});
