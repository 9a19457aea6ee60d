/** One contract for the cache of a process and for the shared one, on a real Redis. */
import { type AddressInfo, createServer } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createRedisCache } from "../../src/adapter/redis-cache.js";
import { connectRedis, type RedisConnection } from "../../src/adapter/redis-connection.js";
import { createRedisLimit } from "../../src/adapter/redis-limit.js";
import { systemClock } from "../../src/base/clock.js";
import { type Logger, silentLogger } from "../../src/base/log.js";
import type { Cache } from "../../src/job/port.js";
import {
  NEEDS_REDIS,
  type RedisServer,
  redisProgram,
  startRedisServer,
} from "../support/redis-server.js";
import { until } from "../support/until.js";

const MINUTE_MS = 60_000;
/** Where the bound itself is not the question: a busy machine must not look like a silent Redis. */
const PATIENT_MS = 5_000;

const defaults = { password: null, tls: false, name: "test", random: () => 0.5 };

function connect(url: string, log: Logger = silentLogger, password: string | null = null) {
  const options = { ...defaults, url, password, answerMaxMs: PATIENT_MS };
  return connectRedis({ ...options, clock: systemClock, log });
}

async function connected(url: string, password: string | null = null): Promise<RedisConnection> {
  const connection = connect(url, silentLogger, password);
  await until(() => connection.answers(), "Redis answers");
  return connection;
}

function isACache(make: () => Promise<Cache>) {
  let cache: Cache;
  beforeEach(async () => {
    cache = await make();
  });

  it("gives what was stored, a copy, and null for what was not", async () => {
    const value = { name: "ünïcode\n", parts: [1, null, { deep: true }] };
    expect(await cache.set("repo:1", value, MINUTE_MS)).toBe(true);
    value.parts.push(2);
    expect(await cache.get("repo:1")).toEqual({
      name: "ünïcode\n",
      parts: [1, null, { deep: true }],
    });
    expect(await cache.get("repo:2")).toBeNull();
    expect(await cache.get("constructor")).toBeNull();
  });

  it("forgets after the time to live, counted from the last time it was stored", async () => {
    await cache.set("brief", { n: 1 }, 30);
    await cache.set("long", { n: 1 }, 30);
    await cache.set("long", { n: 2 }, MINUTE_MS);
    await until(async () => (await cache.get("brief")) === null, "it expires");
    expect(await cache.get("long")).toEqual({ n: 2 });
  });

  it("deletes by key, and by prefix as it is written", async () => {
    const many = Array.from({ length: 1_200 }, (_, i) => `repo:metadata:${i}`);
    const others = ["repo:scores:latest:1", "repo*", "repo:[m]etadata:1"];
    await Promise.all([...many, ...others].map((key) => cache.set(key, { key }, MINUTE_MS)));
    await cache.delete("repo:metadata:0", "repo:metadata:1", "never-there");
    await cache.delete();
    expect(await cache.deleteByPrefix("repo:[m]")).toBe(1);
    expect(await cache.deleteByPrefix("repo*")).toBe(1);
    expect(await cache.deleteByPrefix("repo:metadata:")).toBe(1_198);
    expect(await cache.deleteByPrefix("repo:metadata:")).toBe(0);
    expect(await cache.get("repo:scores:latest:1")).not.toBeNull();
  });

  it("counts reads, keys, the age of the oldest and the memory", async () => {
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0, keys: 0, oldestAt: null });
    const before = new Date();
    await cache.set("a", { n: 1 }, MINUTE_MS);
    const between = new Date();
    await cache.set("b", { n: 1 }, MINUTE_MS);
    for (const key of ["a", "b", "a", "c"]) await cache.get(key);
    expect(await cache.reads()).toEqual({ hits: 3, misses: 1 });
    const stats = await cache.stats();
    expect(stats).toMatchObject({ hits: 3, misses: 1, keys: 2, complete: true });
    expect(stats?.oldestAt?.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(stats?.oldestAt?.getTime()).toBeLessThanOrEqual(between.getTime());
    expect(stats?.memoryBytes).toBeGreaterThan(0);
  });
}

describe("the cache in memory", () => {
  isACache(async () => createMemoryCache(systemClock));

  it("keeps what was used last when it is full", async () => {
    const cache = createMemoryCache(systemClock, 2);
    await cache.set("a", { n: 1 }, MINUTE_MS);
    await cache.set("b", { n: 1 }, MINUTE_MS);
    await cache.get("a");
    await cache.set("c", { n: 1 }, MINUTE_MS);
    expect(await Promise.all(["a", "b", "c"].map((key) => cache.get(key)))).toEqual([
      { n: 1 },
      null,
      { n: 1 },
    ]);
  });

  it("expires by the clock it is given, to the millisecond", async () => {
    let nowMs = 1_000;
    const cache = createMemoryCache({ now: () => new Date(nowMs), sleep: async () => {} });
    await cache.set("a", { n: 1 }, 300_000);
    nowMs += 299_999;
    expect(await cache.get("a")).toEqual({ n: 1 });
    nowMs += 1;
    expect(await cache.get("a")).toBeNull();
    expect(await cache.stats()).toMatchObject({ keys: 0 });
  });
});

describe.skipIf(redisProgram === null)(`${NEEDS_REDIS} the cache in Redis`, () => {
  let server: RedisServer;
  let connection: RedisConnection;
  let raw: Redis;
  beforeAll(async () => {
    server = await startRedisServer();
    connection = await connected(server.url);
    raw = new Redis(server.url);
  });
  afterAll(async () => {
    raw?.disconnect();
    await connection?.close();
    await server?.close();
  });
  beforeEach(async () => {
    await raw.flushall();
    await raw.config("RESETSTAT");
  });

  isACache(async () => createRedisCache(connection, systemClock));

  it("keeps away from what others keep on the same server, and never stops it to look (X-05)", async () => {
    const cache = createRedisCache(connection, systemClock);
    const countHit = createRedisLimit(connection);
    await raw.set("repo:of-another-program", "theirs");
    await countHit("subject ann", MINUTE_MS);
    await cache.set("repo:1", { n: 1 }, MINUTE_MS);
    expect(await cache.stats()).toMatchObject({ keys: 1 });
    expect(await cache.deleteByPrefix("")).toBe(1);
    expect((await raw.keys("*")).sort()).toEqual([
      "algobrain-limit:subject ann",
      "repo:of-another-program",
    ]);
    const commands = await raw.info("commandstats");
    expect(commands).toMatch(/cmdstat_scan:/);
    expect(commands).toMatch(/cmdstat_unlink:/);
    // Ours was the KEYS of the line above.
    expect(commands).toMatch(/cmdstat_keys:calls=1,/);
    expect(commands).not.toMatch(/cmdstat_(flush\w+|monitor|del):/);
  });

  it("is one for all processes, their counts too", async () => {
    const other = await connected(server.url);
    const here = createRedisCache(connection, systemClock);
    const there = createRedisCache(other, systemClock);
    await here.set("a", { n: 1 }, MINUTE_MS);
    expect(await there.get("a")).toEqual({ n: 1 });
    await there.delete("a");
    expect(await here.get("a")).toBeNull();
    expect(await there.reads()).toEqual({ hits: 1, misses: 1 });
    await other.close();
  });

  it("takes what is no entry of ours for a miss", async () => {
    const cache = createRedisCache(connection, systemClock);
    for (const text of ["", "plain", "1:{broken", "1:[1]"]) {
      await raw.set("algobrain:odd", text);
      expect(await cache.get("odd")).toBeNull();
    }
    await raw.lpush("algobrain:list", "x");
    expect(await cache.get("list")).toBeNull();
  });

  it("counts a caller in windows that begin with the first request and always end", async () => {
    const countHit = createRedisLimit(connection);
    expect(await countHit("ann", MINUTE_MS)).toMatchObject({ count: 1 });
    expect(await countHit("ann", MINUTE_MS)).toMatchObject({ count: 2 });
    expect(await countHit("bob", MINUTE_MS)).toMatchObject({ count: 1 });
    await raw.persist("algobrain-limit:ann");
    expect((await countHit("ann", MINUTE_MS))?.endsInMs).toBeGreaterThan(MINUTE_MS - 5_000);
    await countHit("brief", 30);
    await until(async () => (await countHit("brief", 30))?.count === 1, "a new window begins");
  });
});

describe.skipIf(redisProgram === null)(`${NEEDS_REDIS} a connection to Redis`, () => {
  it("gives answers without it while it is dead, tells both once, and counts as misses", async () => {
    const said: string[] = [];
    const note = (event: string) => said.push(event);
    const log: Logger = { ...silentLogger, warn: note, info: note };
    const server = await startRedisServer();
    const connection = connect(server.url, log);
    await until(() => connection.answers(), "Redis answers");
    const cache = createRedisCache(connection, systemClock);
    await cache.set("a", { n: 1 }, MINUTE_MS);
    await server.kill();
    await until(async () => !(await connection.answers()), "it is missed");
    expect(await cache.get("a")).toBeNull();
    expect(await cache.set("a", { n: 1 }, MINUTE_MS)).toBe(false);
    await cache.delete("a");
    expect(await cache.deleteByPrefix("a")).toBeNull();
    expect([await cache.reads(), await cache.stats()]).toEqual([null, null]);
    await server.start();
    await until(() => connection.answers(), "it is back");
    await cache.get("a");
    expect(await cache.reads()).toEqual({ hits: 0, misses: 2 });
    expect(said).toEqual(["redis.lost", "redis.back"]);
    await connection.close();
    await server.close();
    expect(said).toHaveLength(2);
  });

  it("waits for a silent Redis no longer than its bound, then not at all, and finds it again", async () => {
    const server = await startRedisServer();
    const own = { url: server.url, clock: systemClock, log: silentLogger };
    const connection = connectRedis({ ...defaults, ...own });
    await until(() => connection.answers(), "Redis answers");
    const cache = createRedisCache(connection, systemClock);
    server.freeze();
    const startedMs = performance.now();
    const answers = await Promise.all([cache.get("a"), cache.get("b"), connection.answers()]);
    expect(answers).toEqual([null, null, false]);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await until(async () => {
      const askedMs = performance.now();
      await cache.get("a");
      return performance.now() - askedMs < 50;
    }, "nobody waits for it any more");
    server.thaw();
    await until(() => connection.answers(), "it is back");
    await connection.close();
    await server.close();
  });

  it("uses the password, from the URL or beside it, and is down with a wrong one (HB-env-05)", async () => {
    const server = await startRedisServer("--requirepass", "p@ss:w/rd");
    const inUrl = server.url.replace("//", `//:${encodeURIComponent("p@ss:w/rd")}@`);
    for (const connection of [
      await connected(inUrl),
      await connected(server.url, "p@ss:w/rd"),
      await connected(inUrl, "p@ss:w/rd"),
    ])
      await connection.close();
    const said: object[] = [];
    const log: Logger = {
      ...silentLogger,
      warn: (event, fields) => said.push({ event, ...fields }),
    };
    const wrong = connect(server.url, log, "another");
    await until(() => said.length > 0, "it is said");
    expect(await wrong.answers()).toBe(false);
    expect(said).toEqual([{ event: "redis.lost", error: expect.stringMatching(/WRONGPASS/) }]);
    await wrong.close();
    await server.close();
  });
});

it("speaks TLS where it is asked to, also to redis://, and names the server (HB-env-06)", async () => {
  const helloTo = async (scheme: string, tls: boolean) => {
    const server = createServer();
    const seen = new Promise<Buffer>((resolve) =>
      server.on("connection", (socket) => socket.once("data", resolve)),
    );
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    const { port } = server.address() as AddressInfo;
    const connection = connectRedis({
      ...{ ...defaults, url: `${scheme}://localhost:${port}`, tls },
      ...{ clock: systemClock, log: silentLogger },
    });
    const hello = await seen;
    await connection.close();
    server.close();
    return { isTls: hello[0] === 0x16, namesServer: hello.includes("localhost") };
  };
  expect(await helloTo("redis", true)).toEqual({ isTls: true, namesServer: true });
  expect(await helloTo("rediss", true)).toEqual({ isTls: true, namesServer: true });
  expect(await helloTo("redis", false)).toEqual({ isTls: false, namesServer: false });
});
