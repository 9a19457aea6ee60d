/**
 * The cache of one process, when no Redis is configured. Bounded: what was used longest ago leaves first. Other
 * processes neither see it nor can take anything out of it.
 */
import type { Clock } from "../base/clock.js";
import type { JsonObject } from "../base/json.js";
import type { Cache, CacheStats } from "../job/port.js";

interface Entry {
  /** JSON, so that nobody changes what another will read. */
  readonly text: string;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
}

const ENTRIES_MAX = 10_000;

export function createMemoryCache(clock: Clock, entriesMax = ENTRIES_MAX): Cache {
  const cache = new MemoryCache(clock, entriesMax);
  return {
    get: async (key) => cache.get(key),
    set: async (key, value, ttlMs) => cache.set(key, value, ttlMs),
    delete: async (...keys) => cache.delete(keys),
    deleteByPrefix: async (prefix) => cache.deleteByPrefix(prefix),
    reads: async () => cache.reads(),
    stats: async () => cache.stats(),
  };
}

class MemoryCache {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  /** In the order of use: the first was used longest ago. */
  readonly #entries = new Map<string, Entry>();
  #hits = 0;
  #misses = 0;

  constructor(clock: Clock, entriesMax: number) {
    this.#clock = clock;
    this.#entriesMax = entriesMax;
  }

  get(key: string): JsonObject | null {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    if (entry === undefined || this.#isExpired(entry)) {
      this.#misses += 1;
      return null;
    }
    this.#entries.set(key, entry);
    this.#hits += 1;
    return JSON.parse(entry.text);
  }

  set(key: string, value: JsonObject, ttlMs: number): boolean {
    const storedAtMs = this.#clock.now().getTime();
    this.#entries.delete(key);
    const text = JSON.stringify(value);
    this.#entries.set(key, { text, storedAtMs, expiresAtMs: storedAtMs + ttlMs });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax) break;
      this.#entries.delete(oldest);
    }
    return true;
  }

  delete(keys: readonly string[]): void {
    for (const key of keys) this.#entries.delete(key);
  }

  deleteByPrefix(prefix: string): number {
    this.#dropExpired();
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix));
    this.delete(keys);
    return keys.length;
  }

  reads() {
    return { hits: this.#hits, misses: this.#misses };
  }

  stats(): CacheStats {
    this.#dropExpired();
    const entries = [...this.#entries.values()];
    const oldestMs = Math.min(...entries.map(({ storedAtMs }) => storedAtMs));
    return {
      ...this.reads(),
      store: "memory",
      keys: entries.length,
      complete: true,
      oldestAt: entries.length === 0 ? null : new Date(oldestMs),
      memoryBytes: entries.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
    };
  }

  #isExpired({ expiresAtMs }: Entry): boolean {
    return expiresAtMs <= this.#clock.now().getTime();
  }

  #dropExpired(): void {
    for (const [key, entry] of this.#entries) if (this.#isExpired(entry)) this.#entries.delete(key);
  }
}
