import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { dropLease, isLeaseHeld, keepLease, takeLease } from "../../src/store/lease.js";
import { withDatabase } from "../support/database.js";
import { readLease } from "../support/lease.js";

const take = (db: Database, holder: string, ttlMs = 60_000) =>
  takeLease(db, { name: "orchestrator", holder, ttlMs });

test("one of many takes the lease", () =>
  withDatabase(async (db) => {
    expect(await readLease(db, "orchestrator")).toBeNull();
    const fences = await Promise.all(Array.from({ length: 8 }, (_, i) => take(db, `holder-${i}`)));
    expect(fences.filter((fence) => fence !== null)).toEqual([{ fence: 1 }]);
  }));

test("a lease is kept by its holder and its fence only", () =>
  withDatabase(async (db) => {
    const lease = { name: "orchestrator", holder: "a", ...(await take(db, "a", 1))! };
    expect(await keepLease(db, { ...lease, ttlMs: 60_000 })).toBe(true);
    const kept = await readLease(db, "orchestrator");
    expect(kept).toMatchObject({ holder: "a", fence: 1 });
    expect(kept!.remainingMs).toBeGreaterThan(50_000);
    expect(await keepLease(db, { ...lease, holder: "b", ttlMs: 1 })).toBe(false);
    expect(await keepLease(db, { ...lease, fence: 2, ttlMs: 1 })).toBe(false);
    expect(await keepLease(db, { ...lease, name: "other", ttlMs: 1 })).toBe(false);
  }));

test("an expired lease goes to the next with a larger fence, and its late holder is told", () =>
  withDatabase(async (db) => {
    const first = (await take(db, "a", -1))!;
    const second = (await take(db, "b"))!;
    expect(second.fence).toBeGreaterThan(first.fence);
    const late = { name: "orchestrator", holder: "a", fence: first.fence };
    expect(await keepLease(db, { ...late, ttlMs: 60_000 })).toBe(false);
    expect(await dropLease(db, late)).toBe(false);
    expect(await readLease(db, "orchestrator")).toMatchObject({ holder: "b" });
  }));

test("a dropped lease is free at once, and its fence still grows", () =>
  withDatabase(async (db) => {
    const { fence } = (await take(db, "a"))!;
    expect(await take(db, "b")).toBeNull();
    expect(await isLeaseHeld(db, "orchestrator")).toBe(true);
    expect(await dropLease(db, { name: "orchestrator", holder: "a", fence })).toBe(true);
    expect(await isLeaseHeld(db, "orchestrator")).toBe(false);
    expect(await take(db, "b")).toEqual({ fence: fence + 1 });
  }));

test("the same holder, started anew, takes its own lease with a larger fence", () =>
  withDatabase(async (db) => {
    const { fence } = (await take(db, "a"))!;
    expect(await take(db, "a")).toEqual({ fence: fence + 1 });
  }));
