/**
 * The one connection of a process to Redis (HB-env-04…06). Redis may be away at any time: then whoever asks is
 * told so at once, a silent Redis is given up after a bound, and the connection comes back by itself.
 */
import { isIP } from "node:net";
import { Redis } from "ioredis";
import { backoffMs } from "../base/backoff.js";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`; may hold user, password and number of the database. */
  readonly url: string;
  /** Used when the URL has none. */
  readonly password: string | null;
  /** With a certificate that fits the host. */
  readonly tls: boolean;
  /** As `CLIENT LIST` shows it. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1), for the jitter of reconnecting. */
  readonly random: () => number;
  /** What a request may lose to a Redis that is slow, in milliseconds; default 250. */
  readonly answerMaxMs?: number;
}

export interface RedisConnection {
  /** What `work` answers; undefined when Redis is away, silent for longer than the bound, or refuses. Never throws. */
  ask<T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined>;
  /** Whether it answers now. */
  answers(): Promise<boolean>;
  close(): Promise<void>;
}

const ANSWER_MAX_MS = 250;
const CONNECT_MAX_MS = 2_000;
/** A connection that is silent for so long while an answer is due is dead: a new one is tried. */
const SILENCE_MAX_MS = 2_000;
const RECONNECT = { baseMs: 50, capMs: 2_000, jitter: 0.2 } as const;

/** Starts to connect and waits for nothing. */
export function connectRedis(options: RedisConnectionOptions): RedisConnection {
  const { clock, log, answerMaxMs = ANSWER_MAX_MS } = options;
  const redis = openClient(options);
  const outage = watchOutage(redis, clock, log);
  const ask: RedisConnection["ask"] = async (work) => {
    if (redis.status !== "ready") return undefined;
    const given = new AbortController();
    const tooLate = clock.sleep(answerMaxMs, given.signal).then(() => undefined);
    const first = await Promise.race([attempt(work, redis, outage), tooLate]);
    given.abort();
    return first;
  };
  return {
    ask,
    answers: async () => (await ask((one) => one.ping())) === "PONG",
    close: async () => {
      outage.end();
      redis.disconnect();
    },
  };
}

/** Its own late failure is heard here as well: nobody may wait for it any more. */
async function attempt<T>(
  work: (redis: Redis) => Promise<T>,
  redis: Redis,
  outage: Outage,
): Promise<T | undefined> {
  try {
    return await work(redis);
  } catch (error) {
    outage.noteRefusal(error);
    return undefined;
  }
}

function openClient({ url, password, tls, name, random }: RedisConnectionOptions): Redis {
  // The scheme is told by `tls`: with both, the client would take the URL's word and no name for TLS.
  return new Redis(url.replace(/^rediss:/, "redis:"), {
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: tlsFor(url) } : {}),
    connectionName: name,
    disableClientInfo: true,
    connectTimeout: CONNECT_MAX_MS,
    socketTimeout: SILENCE_MAX_MS,
    // Nothing is kept for later: what Redis cannot take now is answered without it.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => backoffMs(RECONNECT, attempt, random()),
    // After a failover the old primary only reads: connect again, to the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
}

interface Outage {
  /** Of what it was asked to do, such as by its access list or for want of memory: said when it is news. */
  noteRefusal(error: unknown): void;
  /** From now on it is closed on purpose. */
  end(): void;
}

/** The name that the server's certificate is chosen by; an address has none. */
function tlsFor(url: string): { servername?: string } {
  const { hostname } = new URL(url);
  return isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? { servername: hostname } : {};
}

/** Says once that Redis is lost, however often connecting fails, and once that it is back. */
function watchOutage(redis: Redis, clock: Clock, log: Logger): Outage {
  let lostAtMs: number | null = null;
  let lastError: unknown = null;
  let lastRefusal = "";
  let isOver = false;
  redis.on("error", (error) => {
    lastError = error;
  });
  redis.on("close", () => {
    if (isOver || lostAtMs !== null) return;
    lostAtMs = clock.now().getTime();
    log.warn("redis.lost", { error: describe(lastError) });
  });
  redis.on("ready", () => {
    lastError = null;
    if (lostAtMs === null) return;
    log.info("redis.back", { down_ms: clock.now().getTime() - lostAtMs });
    lostAtMs = null;
  });
  return {
    noteRefusal: (error) => {
      if (!(error instanceof Error) || error.name !== "ReplyError") return;
      if (error.message === lastRefusal) return;
      lastRefusal = error.message;
      log.warn("redis.refused", { error: lastRefusal });
    },
    end: () => {
      isOver = true;
    },
  };
}

function describe(error: unknown): string {
  if (error === null) return "the connection ended";
  // A host with several addresses gives one error for all of them, without a message of its own.
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join("; ");
  return errorMessage(error);
}
