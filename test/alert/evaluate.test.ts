import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Series } from "../../src/alert/series.js";
import type { AlertLevel, AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeRule } from "../support/make-policy.js";
import { feed, MINUTE, makeSeries, replay, SECOND, samples } from "./replay.js";

const EVERY = 15 * SECOND;
const LAST = { form: "last", of: { metric: "depth", where: {} } } as const;

/** `value > 10` on the newest sample, one level unless told otherwise. */
function simple(level: Partial<AlertLevel> = {}, rule: Partial<AlertRule> = {}): AlertRule {
  return makeRule({
    name: "depth-high",
    everyMs: EVERY,
    signal: LAST,
    levels: [makeLevel({ id: "AR-1", value: 10, ...level })],
    ...rule,
  });
}

const twoLevels = (critical: Partial<AlertLevel> = {}, warning: Partial<AlertLevel> = {}) =>
  simple(
    {},
    {
      levels: [
        makeLevel({ id: "W", severity: "sev3", value: 10, ...warning }),
        makeLevel({ id: "C", severity: "sev1", value: 20, ...critical }),
      ],
    },
  );

const repeat = (value: number | null, ticks: number) => Array<number | null>(ticks).fill(value);

describe("HB-alr-01: average of 5 minutes below 0.95", () => {
  const rule = makeRule({
    name: "worker-success-rate-low",
    everyMs: EVERY,
    signal: {
      form: "agg",
      fn: "avg",
      of: { metric: "success", where: {} },
      overMs: 5 * MINUTE,
      fullWindow: true,
    },
    combine: "avg",
    levels: [makeLevel({ id: "AR-01", severity: "sev1", op: "<", value: 0.95 })],
  });
  const run = (...points: Parameters<typeof samples>[]) =>
    replay({
      rule,
      series: [
        makeSeries(
          "success",
          points.flatMap((one) => samples(...one)),
        ),
      ],
      toMs: 30 * MINUTE,
    }).story;

  test("0.94 for 5 minutes fires", () => {
    expect(run([0.94, 0, 5 * MINUTE])).toEqual(["fired@300"]);
  });

  test("0.94 for 4 minutes does not", () => {
    expect(run([0.94, 0, 4 * MINUTE])).toEqual([]);
    const after = 10 * MINUTE;
    expect(
      run(
        [1, 0, after],
        [0.94, after + EVERY, after + 4 * MINUTE],
        [1, after + 4 * MINUTE + EVERY, 30 * MINUTE],
      ),
    ).toEqual([]);
  });

  test("0.95 does not, however long", () => {
    expect(run([0.95, 0, 30 * MINUTE])).toEqual([]);
  });

  test("a mean that is 0.95 but for a last bit does not", () => {
    const mixed = Array.from({ length: 21 }, (_, i): Parameters<typeof samples>[] => [
      [i % 5 === 0 ? 0.99 : 0.94, i * EVERY, i * EVERY],
    ]).flat();
    expect(run(...mixed)).toEqual([]);
  });
});

describe("pending and firing", () => {
  const rule = simple({ forMs: MINUTE });

  test("fires at the first tick at or after activeAt + for", () => {
    expect(feed(rule, repeat(11, 5)).story).toEqual(["pending@0", "fired@60"]);
  });

  test("with `for` 0 it fires at once", () => {
    expect(feed(simple(), [11]).story).toEqual(["fired@0"]);
  });

  test("one good tick ends pending", () => {
    const { story } = feed(rule, [11, 11, 11, 11, 10, 11, 11, 11, 11]);
    expect(story).toEqual(["pending@0", "pending-ended@60", "pending@75"]);
  });

  test("the first good tick resolves when no recovery is asked for", () => {
    expect(feed(simple(), [11, 11, 10]).story).toEqual(["fired@0", "resolved@30"]);
  });

  test("NaN never breaches, and does not count as recovery either", () => {
    expect(feed(simple(), [Number.NaN, Number.POSITIVE_INFINITY]).story).toEqual([]);
    expect(feed(simple(), [11, Number.NaN]).story).toEqual(["fired@0"]);
  });

  test.each([
    [">", 10, false],
    [">=", 10, true],
    ["<", 10, false],
    ["<=", 10, true],
    ["<", 9.99, true],
    [">", 10.01, true],
  ] as const)("%s 10 at %d breaches: %s", (op, value, expected) => {
    expect(feed(simple({ op }), [value]).story).toEqual(expected ? ["fired@0"] : []);
  });
});

describe("recovery", () => {
  const rule = simple({ recover: { op: "<", value: 8, forMs: 30 * SECOND } });

  test("leaving needs the recovery side for its own time", () => {
    expect(feed(rule, [11, 7, 7, 7]).story).toEqual(["fired@0", "resolved@45"]);
  });

  test("between the two lines it goes on firing, and the time starts again", () => {
    expect(feed(rule, [11, 7, 9, 7, 7, 7]).story).toEqual(["fired@0", "resolved@75"]);
  });

  test("a tick without data holds the recovery clock", () => {
    expect(feed(rule, [11, 7, null, 7, 7]).story).toEqual(["fired@0", "resolved@60"]);
  });
});

describe("levels", () => {
  test("only the highest level is news; leaving critical for warning is a downgrade", () => {
    expect(feed(twoLevels(), [11, 21, 15, 9]).story).toEqual([
      "fired@0",
      "upgraded@15",
      "downgraded@30",
      "resolved@45",
    ]);
  });

  test("critical implies warning: the milder level has not to wait again", () => {
    const { story } = feed(twoLevels({}, { forMs: 10 * MINUTE }), [21, 15, 9]);
    expect(story).toEqual(["fired@0", "downgraded@15", "resolved@30"]);
  });

  test("critical stays until its own recovery line, also beyond the warning line", () => {
    const rule = twoLevels({ recover: { op: "<", value: 5, forMs: 0 } });
    expect(feed(rule, [21, 9, 4]).story).toEqual(["fired@0", "resolved@30"]);
  });
});

describe("no data", () => {
  const rule = (then: "hold" | "ok" | "breach" | "alert", level: Partial<AlertLevel> = {}) =>
    simple(level, { noData: { afterMs: 30 * SECOND, then } });

  test("hold neither advances nor resets pending", () => {
    const { story } = feed(rule("hold", { forMs: MINUTE }), [
      11,
      11,
      ...repeat(null, 20),
      11,
      11,
      11,
    ]);
    expect(story).toEqual(["pending@0", "fired@360"]);
  });

  test("hold keeps a firing alert firing", () => {
    expect(feed(rule("hold"), [11, ...repeat(null, 500)]).story).toEqual(["fired@0"]);
  });

  test("before `after` has passed every rule holds", () => {
    for (const then of ["ok", "breach", "alert"] as const) {
      expect(feed(rule(then), [11, null, 11]).story).toEqual(["fired@0"]);
    }
  });

  test("ok forgives once `after` has passed", () => {
    expect(feed(rule("ok"), [11, null, null]).story).toEqual(["fired@0", "resolved@30"]);
  });

  test("breach counts as breaching, and `for` still applies", () => {
    const { story } = feed(rule("breach", { forMs: 30 * SECOND }), [1, ...repeat(null, 4)]);
    expect(story).toEqual(["pending@30", "fired@60"]);
  });

  test("alert fires at once, at the strictest level, and ends with the first good value", () => {
    const two = {
      ...twoLevels({ forMs: MINUTE }),
      noData: { afterMs: 30 * SECOND, then: "alert" as const },
    };
    const { story, transitions } = feed(two, [1, null, null, 1]);
    expect(story).toEqual(["fired@30", "resolved@45"]);
    expect(transitions[0]).toMatchObject({ level: "C", severity: "sev1", value: null });
  });

  test("a rule whose metric was never seen has no data from its first tick on", () => {
    expect(feed(rule("alert"), repeat(null, 3)).story).toEqual(["fired@30"]);
  });

  test("a known instance that is missing from the readings has no data", () => {
    const by = simple({}, { by: ["queue"], noData: { afterMs: 30 * SECOND, then: "ok" } });
    const series: Series[] = [makeSeries("depth", samples(11, 0, 0), { queue: "index" })];
    const { story } = replay({ rule: by, series, toMs: 3 * MINUTE });
    expect(story).toEqual(["fired@0", "resolved@75"]);
  });

  test("a quiet instance without data is forgotten after a day, and not before", () => {
    const by = simple({}, { by: ["queue"] });
    const series: Series[] = [makeSeries("depth", samples(1, 0, 0), { queue: "index" })];
    const hour = 60 * MINUTE;
    expect(Object.keys(replay({ rule: by, series, toMs: 23 * hour }).state)).toEqual([
      "queue=index",
    ]);
    expect(Object.keys(replay({ rule: by, series, toMs: 25 * hour }).state)).toEqual([]);
  });
});

describe("age", () => {
  const rule = simple(
    { op: ">", value: 60 },
    { signal: { form: "age", of: { metric: "beat", where: {} } }, noData: null },
  );

  test("HB-alr-04: a heartbeat that stops fires after 60 s", () => {
    const series = [makeSeries("beat", samples(1, 0, MINUTE))];
    expect(replay({ rule, series, toMs: 5 * MINUTE }).story).toEqual(["fired@135"]);
  });

  test("a heartbeat that was never seen counts from when we began to wait for it", () => {
    expect(replay({ rule, series: [], toMs: 5 * MINUTE }).story).toEqual(["fired@75"]);
  });
});

describe("restart", () => {
  const rule = simple({ forMs: 2 * MINUTE });

  test("down-time does not advance a pending alert", () => {
    const before = feed(rule, repeat(11, 5));
    const after = feed(rule, repeat(11, 9), { state: before.state, fromTick: 100 });
    expect(before.story).toEqual(["pending@0"]);
    // 60 s were seen before, so 60 s are left; ticks 5 to 99 were not seen.
    expect(after.story).toEqual([`fired@${(100 + 3) * 15}`]);
  });

  test("a firing alert is still firing", () => {
    const before = feed(simple(), [11]);
    expect(feed(simple(), [11], { state: before.state, fromTick: 1000 }).story).toEqual([]);
  });

  test("our own silence never counts as the measured system's: nobody is paged by a restart", () => {
    for (const then of ["breach", "alert"] as const) {
      const strict = simple({}, { noData: { afterMs: 30 * SECOND, then } });
      const before = feed(strict, [1]);
      expect(feed(strict, [1], { state: before.state, fromTick: 1000 }).story).toEqual([]);
    }
  });
});

describe("an edited rule", () => {
  const rule = simple({ forMs: MINUTE });

  test("that changes only value or `for` keeps the clock of what still breaches", () => {
    const before = feed(rule, repeat(30, 3));
    const edited = simple({ forMs: 45 * SECOND, value: 20 });
    expect(feed(edited, [30], { state: before.state, fromTick: 3 }).story).toEqual(["fired@45"]);
  });

  test("that no longer breaches resolves by its samples", () => {
    const before = feed(simple(), [11]);
    expect(feed(simple({ value: 12 }), [11], { state: before.state, fromTick: 1 }).story).toEqual([
      "resolved@15",
    ]);
  });

  test.each([
    [
      "signal",
      simple({ forMs: MINUTE }, { signal: { ...LAST, of: { metric: "other", where: {} } } }),
    ],
    ["op", simple({ forMs: MINUTE, op: ">=" })],
    ["combine", simple({ forMs: MINUTE }, { combine: "max" })],
  ])("that changes %s starts the clock again", (_what, edited) => {
    const before = feed(rule, repeat(30, 3));
    const { story } = feed(edited, repeat(30, 5), { state: before.state, fromTick: 3 });
    expect(story).toEqual(["fired@105"]);
  });

  test("ends a firing alert by name when what it measured is no longer measured", () => {
    const before = feed(simple(), [11]);
    const edited = simple({ op: "<", value: 0 });
    const { story, state } = feed(edited, [11], { state: before.state, fromTick: 1 });
    expect(story).toEqual(["ended-by-edit@15"]);
    expect(state.all?.endedByEdit).toBe(true);
  });

  test("without the level that fires ends it by name", () => {
    const before = feed(twoLevels(), [21]);
    const { story } = feed(simple({ value: 100 }), [21], { state: before.state, fromTick: 1 });
    expect(story).toEqual(["ended-by-edit@15"]);
  });
});

describe("properties", () => {
  const values = fc.array(fc.option(fc.integer({ min: 0, max: 30 }), { nil: null }), {
    maxLength: 60,
  });
  const then = fc.constantFrom("hold" as const, "ok" as const);
  const forMs = fc.constantFrom(0, 15, 30, 60).map((s) => s * SECOND);
  const firingTicks = (rule: AlertRule, input: readonly (number | null)[]) =>
    input.filter((_, i) => feed(rule, input.slice(0, i + 1)).state.all?.level !== null).length;

  test("a stricter threshold never yields fewer firing ticks", () => {
    fc.assert(
      fc.property(
        values,
        fc.integer({ min: 0, max: 30 }),
        fc.nat(5),
        forMs,
        then,
        (input, line, by, ms, missing) => {
          const noData = { afterMs: 30 * SECOND, then: missing };
          const lax = simple({ value: line, forMs: ms }, { noData });
          const strict = simple({ value: line - by, forMs: ms }, { noData });
          expect(firingTicks(strict, input)).toBeGreaterThanOrEqual(firingTicks(lax, input));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("a longer `for` never yields more firing ticks", () => {
    fc.assert(
      fc.property(values, forMs, forMs, (input, a, b) => {
        const [short, long] = [Math.min(a, b), Math.max(a, b)];
        expect(firingTicks(simple({ forMs: long }), input)).toBeLessThanOrEqual(
          firingTicks(simple({ forMs: short }), input),
        );
      }),
      { numRuns: 150 },
    );
  });

  test("transitions tell one story: every end follows its beginning, and the last agrees with the state", () => {
    const LEGAL: Record<string, readonly string[]> = {
      quiet: ["pending", "fired"],
      pending: ["pending-ended", "fired"],
      firing: ["upgraded", "downgraded", "resolved"],
    };
    fc.assert(
      fc.property(values, forMs, forMs, then, (input, warningFor, criticalFor, missing) => {
        const rule = {
          ...twoLevels({ forMs: criticalFor }, { forMs: warningFor }),
          noData: { afterMs: 30 * SECOND, then: missing },
        };
        const { transitions, state } = feed(rule, input);
        let place = "quiet";
        for (const { kind } of transitions) {
          expect(LEGAL[place]).toContain(kind);
          if (kind === "pending") place = "pending";
          else place = kind === "pending-ended" || kind === "resolved" ? "quiet" : "firing";
        }
        expect((state.all?.level ?? null) !== null).toBe(place === "firing");
      }),
    );
  });
});
