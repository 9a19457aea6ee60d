import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeChunk,
  encodeChunk,
  mergeSamples,
  type Samples,
  storable,
} from "../../src/alert/chunk.js";

const DAY = Date.UTC(2026, 10, 22);
const STEP = 15_000;
const PER_DAY = 86_400_000 / STEP;
const SEED = { seed: 6, numRuns: 150 };

const samplesOf = (points: readonly (readonly [ms: number, value: number])[]): Samples => ({
  times: Float64Array.from(points, ([ms]) => DAY + ms),
  values: Float64Array.from(points, ([, value]) => value),
});
/** One value a slot, from the first of the day. */
const onGrid = (values: readonly number[], isThere: (slot: number) => boolean = () => true) =>
  samplesOf(values.map((value, n) => [n * STEP, value] as const).filter((_, n) => isThere(n)));
const wholeDay = (value: (slot: number) => number) =>
  onGrid(Array.from({ length: PER_DAY }, (_, n) => value(n)));

function expectSame(read: Samples, wrote: Samples): void {
  expect(Array.from(read.times)).toEqual(Array.from(wrote.times));
  // -0 is 0 to whoever compares, and is not kept apart.
  expect(Array.from(read.values, (v) => v + 0)).toEqual(Array.from(wrote.values, (v) => v + 0));
}
const bytesOf = (samples: Samples) => encodeChunk(DAY, samples).length / samples.times.length;
const expectRoundTrip = (samples: Samples) =>
  expectSame(decodeChunk(DAY, encodeChunk(DAY, samples)), samples);

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.double({ min: -1, max: 1, noNaN: true }).map((v) => Number(v.toPrecision(6))),
  fc.constantFrom(0, 1, -0, 1e-7, 2 ** 50, 2 ** 50 + 1, 2 ** 53, Number.MAX_VALUE, 5e-324),
);

describe("a chunk reads back to the last bit", () => {
  test("on a grid, with gaps, whatever the values", () => {
    fc.assert(
      fc.property(fc.array(fc.option(number), { maxLength: 200 }), (values) => {
        const there = values.map((value, n) => [n * STEP, value] as const);
        expectRoundTrip(
          samplesOf(there.filter((p): p is readonly [number, number] => p[1] !== null)),
        );
      }),
      SEED,
    );
  });

  test("figures of six digits, of whatever size", () => {
    const figure = fc
      .tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -20, max: 20 }))
      .map(([digits, exponent]) => Number(`${digits}e${exponent}`));
    fc.assert(
      fc.property(fc.array(figure, { maxLength: 40 }), (values) => expectRoundTrip(onGrid(values))),
      SEED,
    );
    fc.assert(
      fc.property(
        fc.array(figure.filter((v) => v === 0 || (Math.abs(v) > 1e-3 && Math.abs(v) < 1e3))),
        (values) => expectRoundTrip(onGrid(values)),
      ),
      SEED,
    );
  });

  test("at any milliseconds of the day", () => {
    const moments = fc.uniqueArray(fc.integer({ min: 0, max: 86_399_999 }), { maxLength: 100 });
    fc.assert(
      fc.property(moments, fc.array(number, { minLength: 100, maxLength: 100 }), (ms, values) => {
        const ordered = [...ms].sort((a, b) => a - b);
        expectRoundTrip(samplesOf(ordered.map((at, n) => [at, values[n]!] as const)));
      }),
      SEED,
    );
  });

  test("whole days: a constant, a counter that begins anew, a clock, noise of a float", () => {
    expectRoundTrip(wholeDay(() => 0.95));
    expectRoundTrip(wholeDay((n) => (n % 2_000) * 37));
    expectRoundTrip(wholeDay((n) => (DAY + n * STEP + 3) / 1_000));
    expectRoundTrip(wholeDay((n) => Math.sin(n) ** 3));
  });
});

describe("what a sample costs", () => {
  test("next to nothing where nothing happens: constants, clocks, steady counters", () => {
    expect(
      encodeChunk(
        DAY,
        wholeDay(() => 0.95),
      ).length,
    ).toBeLessThan(24);
    expect(
      encodeChunk(
        DAY,
        wholeDay((n) => (DAY + n * STEP) / 1_000),
      ).length,
    ).toBeLessThan(40);
    expect(
      encodeChunk(
        DAY,
        wholeDay((n) => n * 4),
      ).length,
    ).toBeLessThan(24);
  });

  test("a gap costs the gap, not every sample after it", () => {
    const values = Array.from({ length: PER_DAY }, () => 1);
    expect(
      encodeChunk(
        DAY,
        onGrid(values, (n) => n % 500 !== 0),
      ).length,
    ).toBeLessThan(70);
  });

  test("about 3 bytes of pure noise in six digits, of whatever size, and about 1 of a small count", () => {
    let state = 1;
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const latency = () => storable(Math.exp(random() * 15 - 5), "gauge", "ms");
    expect(bytesOf(wholeDay(() => storable(random(), "gauge", "ratio")))).toBeLessThan(3.01);
    expect(bytesOf(wholeDay(latency))).toBeLessThan(3.01);
    expect(bytesOf(wholeDay(() => Math.floor(random() * 50)))).toBeLessThan(1.1);
  });
});

describe("what is no chunk", () => {
  test("is a data fault, never a number: cut short, changed, of a later version", () => {
    const data = encodeChunk(
      DAY,
      wholeDay((n) => n % 7),
    );
    const corrupt = expect.objectContaining({ code: "CHUNK_CORRUPT", kind: "data" });
    const readError = (bytes: Uint8Array) => {
      try {
        return decodeChunk(DAY, bytes);
      } catch (error) {
        return error;
      }
    };
    expect(readError(data.slice(0, -1))).toEqual(corrupt);
    expect(readError(new Uint8Array([...data, 0]))).toEqual(corrupt);
    expect(readError(new Uint8Array(0))).toEqual(corrupt);
    expect(readError(Uint8Array.of(2, ...data.slice(1)))).toEqual(corrupt);
  });

  test("any bytes end, in a fault or in numbers, and ask for no more memory than a day", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const forged = Uint8Array.of(1, ...bytes);
        try {
          expect(decodeChunk(DAY, forged).times.length).toBeLessThanOrEqual(86_400);
        } catch (error) {
          expect(error).toMatchObject({ code: "CHUNK_CORRUPT" });
        }
      }),
      { ...SEED, numRuns: 2_000 },
    );
  });
});

describe("merging", () => {
  test("is in order of time, and the newer one wins at the same time", () => {
    const older = samplesOf([
      [0, 1],
      [2, 2],
      [4, 3],
    ]);
    const newer = samplesOf([
      [1, 10],
      [2, 20],
      [9, 30],
    ]);
    const merged = mergeSamples(older, newer);
    expect(Array.from(merged.times, (t) => t - DAY)).toEqual([0, 1, 2, 4, 9]);
    expect(Array.from(merged.values)).toEqual([1, 10, 20, 3, 30]);
    const none = samplesOf([]);
    expectSame(mergeSamples(none, older), older);
    expectSame(mergeSamples(older, none), older);
    const late = samplesOf([[100, 7]]);
    expect(mergeSamples(older, late).times).toHaveLength(4);
  });
});

describe("what may be stored", () => {
  test("six digits of what was measured; counters, counts and times stay what they are", () => {
    expect(storable(0.123456789, "gauge", "ratio")).toBe(0.123457);
    expect(storable(123_456_789, "gauge", "bytes")).toBe(123_457_000);
    expect(storable(123_456_789, "gauge", "count")).toBe(123_456_789);
    expect(storable(123_456_789, "counter", "bytes")).toBe(123_456_789);
    expect(storable(2 ** 52 + 1, "counter", "count")).toBe(2 ** 52 + 1);
    expect(storable(0.1 + 0.2, "counter", "s")).toBe(0.3);
    expect(storable(1_763_796_615.1234, "gauge", "timestamp")).toBe(1_763_796_615.123);
    expect(storable(Number.NaN, "gauge", "ms")).toBeNaN();
  });

  test("rounding twice is rounding once, so that a value that was read is judged as it was", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const once = storable(value, "gauge", "ms");
        expect(storable(once, "gauge", "ms")).toBe(once);
      }),
      SEED,
    );
  });
});
