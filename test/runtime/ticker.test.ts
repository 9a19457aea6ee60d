import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { runTicks, type Tick } from "../../src/runtime/ticker.js";

/** Sleeps by moving its hands, when nothing else is left to do. */
function handsOf(startMs: number): Clock & { nowMs: number } {
  const clock = {
    nowMs: startMs,
    now: () => new Date(clock.nowMs),
    sleep: async (ms: number, signal?: AbortSignal) => {
      await turn();
      if (!signal?.aborted) clock.nowMs += ms;
    },
  };
  return clock;
}

async function startsOf(
  tick: Partial<Tick>,
  tooksMs: readonly number[],
  gridOffsetMs = 0,
): Promise<number[]> {
  const clock = handsOf(1_000_007);
  const stop = new AbortController();
  const starts: number[] = [];
  const run = async (now: Date) => {
    clock.nowMs += tooksMs[starts.length] ?? 0;
    starts.push(now.getTime());
    if (starts.length === tooksMs.length) stop.abort();
  };
  const deps = { clock, emit: () => {}, gridOffsetMs };
  await runTicks([{ name: "t", everyMs: 100, run, ...tick }], deps, stop.signal);
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

  test("of a second and more starts on a grid: an interval ends a little too early, and never too late", async () => {
    const starts = await startsOf({ everyMs: 2_000 }, [30, 0, 3_100, 0]);
    expect(starts).toEqual([1_000_007, 1_002_000, 1_004_000, 1_007_100]);
    const elsewhere = await startsOf({ everyMs: 2_000 }, [30, 0, 0], 300);
    expect(elsewhere).toEqual([1_000_007, 1_001_300, 1_003_300]);
  });

  test("starts at once when the clock was set back by more than its interval", async () => {
    const clock = handsOf(1_000_000);
    const stop = new AbortController();
    const starts: number[] = [];
    const back = async () => {
      starts.push(clock.nowMs);
      clock.nowMs -= starts.length === 1 ? 500_000 : 0;
      if (starts.length === 3) stop.abort();
    };
    const tick = { name: "back", everyMs: 100, run: back };
    await runTicks([tick], { clock, emit: () => {} }, stop.signal);
    expect(starts).toEqual([1_000_000, 500_000, 500_100]);
  });

  test("that hangs delays no other, and is waited for at the end", async () => {
    const clock = handsOf(1_000_000);
    const stop = new AbortController();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const starts: number[] = [];
    const slow = { name: "slow", everyMs: 100, run: () => ended };
    const quick = {
      name: "quick",
      everyMs: 100,
      run: async (now: Date) => {
        starts.push(now.getTime());
        if (starts.length === 3) stop.abort();
      },
    };
    let isOver = false;
    const running = runTicks([slow, quick], { clock, emit: () => {} }, stop.signal).then(() => {
      isOver = true;
    });
    await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    await turn();
    expect({ starts, isOver }).toEqual({
      starts: [1_000_000, 1_000_100, 1_000_200],
      isOver: false,
    });
    end();
    await running;
  });
});
