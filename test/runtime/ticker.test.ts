import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { runTicks, type Tick } from "../../src/runtime/ticker.js";

/** Sleeps by moving its hands. */
function handsOf(startMs: number): Clock & { nowMs: number } {
  const clock = {
    nowMs: startMs,
    now: () => new Date(clock.nowMs),
    sleep: async (ms: number) => {
      clock.nowMs += ms;
    },
  };
  return clock;
}

async function startsOf(tick: Partial<Tick>, tooksMs: readonly number[]): Promise<number[]> {
  const clock = handsOf(1_000_007);
  const stop = new AbortController();
  const starts: number[] = [];
  const run = async (now: Date) => {
    clock.nowMs += tooksMs[starts.length] ?? 0;
    starts.push(now.getTime());
    if (starts.length === tooksMs.length) stop.abort();
  };
  const emit = () => {};
  await runTicks([{ name: "t", everyMs: 100, run, ...tick }], { clock, emit }, stop.signal);
  return starts;
}

describe("a tick", () => {
  test("starts an interval after its last start, or at once when it took longer", async () => {
    expect(await startsOf({}, [30, 250, 0])).toEqual([1_000_007, 1_000_107, 1_000_357]);
  });

  test("on the grid starts at multiples of its interval, and passes over those that it missed", async () => {
    const starts = await startsOf({ aligned: true }, [30, 250, 100, 0]);
    expect(starts).toEqual([1_000_007, 1_000_100, 1_000_400, 1_000_600]);
  });
});
