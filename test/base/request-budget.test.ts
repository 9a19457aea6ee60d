/** Who may ask GitHub next, by what its answers said: no row and no clock are needed to know it. */
import { describe, expect, test } from "vitest";
import {
  admitRequest,
  afterAnswer,
  type RequestBudget,
  type SeenLimits,
} from "../../src/base/request-budget.js";

const NOW = new Date("2026-11-22T03:00:00Z");
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
const RULES = { reserve: 0.1, inFlight: 20 };

const budget = (more: Partial<RequestBudget> = {}): RequestBudget => ({
  ...{ limit: 100, remaining: 100, resetAt: at(600), gateUntil: null, updatedAt: NOW },
  ...more,
});
const well = (remaining: number, resetInS = 600): SeenLimits => ({
  window: { limit: 100, remaining, resetInMs: resetInS * 1_000 },
  ...{ refusal: null, isWell: true },
});
const refused = (waitS: number, isNamed = true): SeenLimits => ({
  ...{ window: null, refusal: { waitMs: waitS * 1_000, isNamed }, isWell: false },
});

describe("who may ask", () => {
  test.each([
    ["whoever comes, while enough is left", budget(), 0, { ok: true }],
    [
      "nobody past the reserve",
      budget({ remaining: 10 }),
      0,
      { ok: false, why: "limit", until: at(600) },
    ],
    [
      "nobody whose request, with those under way, would take of the reserve",
      budget({ remaining: 15 }),
      5,
      { ok: false, why: "limit", until: at(600) },
    ],
    ["the last one above it", budget({ remaining: 15 }), 4, { ok: true }],
    [
      "nobody while the gate is closed",
      budget({ gateUntil: at(5) }),
      0,
      { ok: false, why: "gate", until: at(5) },
    ],
    ["one alone once it is open", budget({ gateUntil: at(0) }), 0, { ok: true }],
    ["nobody beside that one", budget({ gateUntil: at(0) }), 1, { ok: false, why: "busy" }],
    ["no more at a time than may be", budget(), 20, { ok: false, why: "busy" }],
    ["whoever comes after the reset", budget({ remaining: 0, resetAt: at(0) }), 3, { ok: true }],
    [
      "one alone where nothing is left and no reset is known",
      budget({ remaining: 0, resetAt: null }),
      0,
      { ok: true },
    ],
    [
      "nobody beside that one either",
      budget({ remaining: 0, resetAt: null }),
      1,
      { ok: false, why: "busy" },
    ],
  ] as const)("%s", (_, known, inFlight, expected) => {
    expect(admitRequest(known, inFlight, RULES, NOW)).toEqual(expected);
  });
});

describe("what an answer changes", () => {
  test("within a window the least is right, in whatever order answers come", () => {
    const inOrder = [80, 79, 78].reduce(
      (known, left) => afterAnswer(known, well(left), NOW),
      budget(),
    );
    const shuffled = [78, 80, 79].reduce(
      (known, left) => afterAnswer(known, well(left), NOW),
      budget(),
    );
    expect([inOrder.remaining, shuffled.remaining]).toEqual([78, 78]);
  });

  test("a new window begins anew, and an answer of the one before changes nothing of it", () => {
    const next = afterAnswer(budget({ remaining: 3 }), well(99, 3_600), NOW);
    expect(next).toMatchObject({ remaining: 99, resetAt: at(3_600) });
    expect(afterAnswer(next, well(2, -1), at(1))).toMatchObject({
      remaining: 99,
      resetAt: at(3_600),
    });
  });

  test("a reset that two clocks see a second apart is the later one", () => {
    const later = afterAnswer(budget({ remaining: 50 }), well(49, 601), NOW);
    expect(later).toMatchObject({ remaining: 49, resetAt: at(601) });
    expect(afterAnswer(later, well(48, 599), NOW).resetAt).toEqual(at(601));
  });

  test("a refusal closes the gate until the time that was named, and never opens it sooner", () => {
    const shut = afterAnswer(budget(), refused(30), NOW);
    expect(shut.gateUntil).toEqual(at(30));
    expect(afterAnswer(shut, refused(10), NOW).gateUntil).toEqual(at(30));
    // It was under way when the gate was closed.
    expect(afterAnswer(shut, well(50), at(1)).gateUntil).toEqual(at(30));
  });

  test("only a good answer after the gate lets all ask again", () => {
    const passed = budget({ gateUntil: at(-1) });
    const ill: SeenLimits = { window: null, refusal: null, isWell: false };
    expect(afterAnswer(passed, ill, NOW).gateUntil).toEqual(at(-1));
    expect(afterAnswer(passed, well(50), NOW).gateUntil).toBeNull();
  });

  test("who is refused again without a time waits twice as long, up to two hours", () => {
    let known = afterAnswer(budget(), refused(60, false), NOW);
    const waits: number[] = [];
    for (let nth = 0; nth < 9; nth++) {
      const now = known.gateUntil!;
      known = afterAnswer(known, refused(60, false), now);
      waits.push((known.gateUntil!.getTime() - now.getTime()) / 1_000);
    }
    expect(waits).toEqual([120, 240, 480, 960, 1_920, 3_840, 7_200, 7_200, 7_200]);
    const named = afterAnswer(known, refused(5), known.gateUntil!);
    expect(named.gateUntil!.getTime() - known.gateUntil!.getTime()).toBe(5_000);
  });

  test("a time that no limit has is not believed", () => {
    const year = 365 * 86_400;
    expect(afterAnswer(budget(), refused(year), NOW).gateUntil).toEqual(at(7_200));
    expect(afterAnswer(budget(), well(0, year), NOW)).toMatchObject({ remaining: 100 });
    // Nobody comes back at once.
    expect(afterAnswer(budget(), refused(0), NOW).gateUntil).toEqual(at(1));
  });

  test.each([1e12, Number.MAX_SAFE_INTEGER])("a limit of %d is not believed", (limit) => {
    const window = { limit, remaining: limit, resetInMs: 600_000 };
    const seen: SeenLimits = { window, refusal: null, isWell: true };
    expect(afterAnswer(budget(), seen, NOW)).toMatchObject({ limit: 100, remaining: 100 });
  });
});
