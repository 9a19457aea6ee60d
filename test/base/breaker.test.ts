import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admit,
  BREAKER_DEFAULTS,
  type Breaker,
  CLOSED,
  closeGate,
  type Finding,
  open,
  settle,
} from "../../src/base/breaker.js";
import { CallWindow, reasonToOpen } from "../../src/base/call-window.js";

const rules = { ...BREAKER_DEFAULTS, openMs: 30_000, probes: 3, closeAfter: 2 };
const T0 = new Date("2026-01-28T12:00:00.000Z");
const at = (ms: number) => new Date(T0.getTime() + ms);
const opened = open(CLOSED, "5 of 5 calls failed", rules.openMs, T0);
/** Half open with one token taken. */
const probing = (() => {
  const admission = admit(opened, rules, at(30_000));
  if (admission.verdict !== "probe") throw new Error(admission.verdict);
  return admission.next;
})();
const well = { health: "well", as: "probe" } as const;
const ill = { health: "ill", as: "probe" } as const;

describe("whether a call may go", () => {
  it.each([
    ["closed", CLOSED, 0, { verdict: "call" }],
    ["open", opened, 29_999, { verdict: "refuse", by: "breaker", until: at(30_000) }],
    ["open for long enough", opened, 30_000, { verdict: "probe", next: { tokens: 2 } }],
    ["half open with tokens", probing, 30_001, { verdict: "probe", next: { tokens: 1 } }],
    [
      "half open without: probes are out",
      { ...probing, tokens: 0 },
      40_000,
      { verdict: "refuse", by: "breaker", until: at(45_000) },
    ],
    [
      "half open without, nearly for long enough",
      { ...probing, tokens: 0 },
      59_999,
      { verdict: "refuse", by: "breaker", until: at(60_000) },
    ],
    [
      "half open, and nobody came back with its token",
      { ...probing, tokens: 0 },
      60_000,
      { verdict: "probe", next: { tokens: 2, nextAt: at(90_000) } },
    ],
    [
      "closed, but asked to wait",
      { ...CLOSED, gateUntil: at(7_000) },
      6_999,
      { verdict: "refuse", by: "gate", until: at(7_000) },
    ],
    ["asked to wait until now", { ...CLOSED, gateUntil: at(7_000) }, 7_000, { verdict: "call" }],
  ] as const)("%s", (_, breaker, ms, expected) => {
    expect(admit(breaker, rules, at(ms))).toMatchObject(expected);
  });
});

describe("what a call changes", () => {
  const settled = (breaker: Breaker, finding: Finding, trip: string | null = null) =>
    settle(breaker, finding, trip, rules, at(40_000));

  it("opens for its time when the window says so, and says why", () => {
    expect(settled(CLOSED, { health: "ill", as: "call" }, "3 of 5 calls failed")).toEqual({
      ...{ state: "open", nextAt: at(70_000), tokens: 0, successes: 0, gateUntil: null },
      reason: "3 of 5 calls failed",
    });
    expect(settled(CLOSED, { health: "ill", as: "call" })).toBe(CLOSED);
  });

  it("closes after enough probes, and a gate outlives that", () => {
    const once = settled({ ...probing, gateUntil: at(99_000) }, well);
    expect(once).toMatchObject({ state: "half_open", successes: 1 });
    expect(settled(once, well)).toEqual({ ...CLOSED, gateUntil: at(99_000) });
  });

  it("opens again with the first probe that fails", () => {
    expect(settled({ ...probing, successes: 1 }, ill)).toMatchObject({
      ...{ state: "open", nextAt: at(70_000), successes: 0, reason: "5 of 5 calls failed" },
    });
  });

  it("gets its token back from a probe that was stopped", () => {
    expect(settled(probing, { health: "unknown", as: "probe" })).toMatchObject({ tokens: 3 });
  });

  it("is nothing when the call began before the breaker opened", () => {
    for (const health of ["well", "ill", "unknown"] as const) {
      expect(settled(opened, { health, as: "call" }, "again")).toBe(opened);
      expect(settled(probing, { health, as: "call" }, "again")).toBe(probing);
    }
  });

  it("lets probes through when a page got through, and stays open when it did not", () => {
    expect(settled(opened, { health: "well", as: "page" })).toMatchObject({
      ...{ state: "half_open", successes: 1, tokens: 3 },
    });
    expect(settled(opened, { health: "ill", as: "page" })).toBe(opened);
  });
});

describe("the gate", () => {
  it("is closed as long as the longest wish, and never longer than the rules allow", () => {
    const gated = closeGate(CLOSED, at(60_000), rules, T0);
    expect(gated.gateUntil).toEqual(at(60_000));
    expect(closeGate(gated, at(5_000), rules, T0)).toBe(gated);
    expect(closeGate(CLOSED, at(-1), rules, T0)).toBe(CLOSED);
    expect(closeGate(gated, at(86_400_000), rules, T0).gateUntil).toEqual(at(rules.gateMaxMs));
  });
});

/** One process after the other calls; between the calls time passes. */
const stories = fc.array(
  fc.record({
    waitMs: fc.integer({ min: 0, max: 45_000 }),
    health: fc.constantFrom("well", "ill", "unknown"),
    trip: fc.boolean(),
    gateMs: fc.option(fc.integer({ min: -10, max: 100_000 })),
    /** The prober dies with its token. */
    dies: fc.boolean(),
  } as const),
  { maxLength: 60 },
);

describe("whatever happens", () => {
  it("tokens stay within bounds, a refusal names a later time, and nothing calls before it", () => {
    fc.assert(
      fc.property(stories, (story) => {
        let breaker = CLOSED;
        let now = 0;
        for (const { waitMs, health, trip, gateMs, dies } of story) {
          now += waitMs;
          const admission = admit(breaker, rules, at(now));
          if (admission.verdict === "refuse") {
            expect(admission.until.getTime()).toBeGreaterThan(at(now).getTime());
            continue;
          }
          expect(breaker.gateUntil === null || breaker.gateUntil <= at(now)).toBe(true);
          if (admission.verdict === "probe") breaker = admission.next;
          if (!dies) {
            const as = admission.verdict;
            breaker = settle(breaker, { health, as }, trip ? "trip" : null, rules, at(now));
          }
          if (gateMs !== null) breaker = closeGate(breaker, at(now + gateMs), rules, at(now));
          expect(breaker.tokens >= 0 && breaker.tokens <= rules.probes).toBe(true);
          expect(breaker.state === "closed").toBe(breaker.nextAt === null);
          expect(breaker.successes).toBeLessThan(rules.closeAfter);
        }
      }),
    );
  });

  it("a dependency that is well again is called again, wherever the breaker was", () => {
    fc.assert(
      fc.property(stories, (story) => {
        let breaker = CLOSED;
        for (const { health, trip, dies } of story) {
          const admission = admit(breaker, rules, T0);
          if (admission.verdict === "probe") breaker = admission.next;
          if (admission.verdict === "refuse" || dies) continue;
          const as = admission.verdict;
          breaker = settle(breaker, { health, as }, trip ? "trip" : null, rules, T0);
        }
        for (let n = 1; n <= rules.closeAfter; n++) {
          const now = at(n * rules.openMs);
          const admission = admit(breaker, rules, now);
          if (admission.verdict === "call") break;
          if (admission.verdict === "refuse") throw new Error("nobody may find out");
          breaker = settle(admission.next, well, null, rules, now);
        }
        expect(breaker.state).toBe("closed");
      }),
    );
  });
});

describe("the window of calls", () => {
  const windowOf = (calls: readonly [number, boolean, number][]) => {
    const window = new CallWindow();
    for (const [ms, isWell, durationMs] of calls) {
      window.add({ at: at(ms), well: isWell, durationMs });
    }
    return window;
  };
  const times = (count: number, call: readonly [number, boolean, number]) =>
    Array.from({ length: count }, () => [...call] as [number, boolean, number]);

  it("gives a reason from the least number of calls on, and forgets", () => {
    const four = windowOf(times(4, [0, false, 10]));
    expect(reasonToOpen(four.stats(rules, at(1)), rules)).toBeNull();
    const five = windowOf([...times(3, [0, false, 10]), ...times(2, [0, true, 10])]);
    expect(five.stats(rules, at(1))).toEqual({ calls: 5, successRate: 0.4, p95Ms: 10 });
    expect(reasonToOpen(five.stats(rules, at(1)), rules)).toBe("3 of 5 calls failed");
    expect(five.stats(rules, at(60_000))).toEqual({ calls: 0, successRate: null, p95Ms: null });
    expect(reasonToOpen(five.stats(rules, at(60_000)), rules)).toBeNull();
  });

  it("gives slowness as a reason, but not of one slow call among few", () => {
    const few = windowOf([...times(9, [0, true, 10]), [0, true, 9_000]]);
    expect(reasonToOpen(few.stats(rules, at(1)), rules)).toBeNull();
    const many = windowOf([...times(18, [0, true, 10]), ...times(2, [0, true, 9_000])]);
    expect(many.stats(rules, at(1)).p95Ms).toBe(9_000);
    expect(reasonToOpen(many.stats(rules, at(1)), rules)).toBe(
      "95 of 100 calls take up to 9000 ms",
    );
  });

  it("stays small however many calls there are", () => {
    const window = windowOf([...times(600, [0, false, 10]), ...times(500, [1, true, 10])]);
    expect(window.stats(rules, at(2))).toMatchObject({ calls: 500, successRate: 1 });
  });
});
