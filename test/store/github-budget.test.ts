/** The one budget of requests that all processes share: rows and locks on a real database (X-16, HB-wrk-14). */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SeenLimits } from "../../src/base/request-budget.js";
import {
  endPermit,
  type Permit,
  readRemainingShare,
  takePermit,
} from "../../src/store/github-budget.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const RULES = { reserve: 0.1, inFlight: 20 };

let place: TestDatabase;
beforeAll(async () => {
  place = await createTestDatabase();
});
afterAll(() => place.drop());

const take = (scope: string, rules = RULES): Promise<Permit> =>
  place.db.transaction((tx) => takePermit(tx, scope, rules));
const end = (scope: string, permit: Permit, seen: SeenLimits | null) => {
  if (!permit.ok) throw new Error("it was refused");
  return place.db.transaction((tx) => endPermit(tx, scope, permit.permit, seen));
};
const well = (remaining: number, resetInMs = 600_000): SeenLimits => ({
  ...{ window: { limit: 100, remaining, resetInMs }, refusal: null, isWell: true },
});
const refused = (waitMs: number): SeenLimits => ({
  ...{ window: null, refusal: { waitMs, isNamed: true }, isWell: false },
});

test("fifty who ask at the same moment get twenty permits, and another is free when one has ended", async () => {
  const taken = await Promise.all(Array.from({ length: 50 }, () => take("fifty")));
  const won = taken.filter(({ ok }) => ok);
  expect(won).toHaveLength(20);
  expect(taken.find(({ ok }) => !ok)).toEqual({ ok: false, why: "busy", waitMs: null });
  await end("fifty", won[0]!, well(99));
  expect([(await take("fifty")).ok, (await take("fifty")).ok]).toEqual([true, false]);
});

test("of thirty at once only as many ask as are left above the reserve", async () => {
  await end("thirty", await take("thirty"), well(17));
  const taken = await Promise.all(Array.from({ length: 30 }, () => take("thirty")));
  expect(taken.filter(({ ok }) => ok)).toHaveLength(7);
  expect(taken.find(({ ok }) => !ok)).toMatchObject({ why: "limit" });
});

test("after a refusal nobody asks before its time, then one alone until it was answered", async () => {
  const others = [await take("gate"), await take("gate")];
  await end("gate", others[0]!, refused(60_000));
  // It was under way: its good answer opens nothing.
  await end("gate", others[1]!, well(50));
  const gated = await take("gate");
  expect(gated).toMatchObject({ ok: false, why: "gate" });
  expect((gated as { waitMs: number }).waitMs).toBeGreaterThan(30_000);
  await place.db.query(
    "UPDATE control.github_budget SET gate_until = now() - interval '1 second' WHERE scope = 'gate'",
  );
  const taken = await Promise.all(Array.from({ length: 10 }, () => take("gate")));
  const [probe, ...more] = taken.filter(({ ok }) => ok);
  expect(more).toEqual([]);
  await end("gate", probe!, well(49));
  expect([(await take("gate")).ok, (await take("gate")).ok]).toEqual([true, true]);
});

test("another credential has a budget of its own", async () => {
  await end("one", await take("one"), refused(60_000));
  expect([(await take("one")).ok, (await take("other")).ok]).toEqual([false, true]);
});

test("the permits of a process that is gone are free after their time", async () => {
  for (let nth = 0; nth < 20; nth++) await take("gone");
  expect((await take("gone")).ok).toBe(false);
  await place.db.query(
    "UPDATE control.github_permit SET until = now() - interval '1 second' WHERE scope = 'gone'",
  );
  const next = await take("gone");
  await end("gone", next, null);
  const { rows } = await place.db.query(
    "SELECT id FROM control.github_permit WHERE scope = 'gone'",
  );
  expect([next.ok, rows]).toEqual([true, []]);
});

test("a request that was never answered changes nothing of what is known", async () => {
  await end("silent", await take("silent"), well(60));
  await end("silent", await take("silent"), null);
  const { rows } = await place.db.query(
    "SELECT remaining, gate_until FROM control.github_budget WHERE scope = 'silent'",
  );
  expect(rows).toEqual([{ remaining: 60, gate_until: null }]);
});

test("AR-37 sees the least that is left of any", async () => {
  await place.db.query("DELETE FROM control.github_budget");
  expect(await readRemainingShare(place.db)).toBeNull();
  await end("a", await take("a"), well(80));
  await end("b", await take("b"), well(25));
  expect(await readRemainingShare(place.db)).toBe(0.25);
});
