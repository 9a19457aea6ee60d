/** A loop that waits hears each hint, whenever it comes. */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { Wake } from "../../src/runtime/wake.js";

const LONG_MS = 60_000;

/** Sleeps end when the test says so, or with their signal. */
function handClock() {
  const ends: (() => void)[] = [];
  const signals: AbortSignal[] = [];
  const clock = {
    now: () => new Date(),
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        ends.push(resolve);
        signals.push(signal!);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
  return { clock, ends, signals };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a wait", () => {
  test("ends with a hint, and the sleep behind it a turn later", async () => {
    const { clock, signals } = handClock();
    const wake = new Wake(clock);
    const waiting = wake.wait(LONG_MS);
    wake.hint();
    expect(await waiting).toBe(true);
    expect(signals[0]?.aborted).toBe(false);
    await turn();
    expect(signals[0]?.aborted).toBe(true);
  });

  test("ends with its time, and then nothing was hinted", async () => {
    expect(await new Wake(systemClock).wait(1)).toBe(false);
  });

  test("ends at once after a hint that came while nobody waited, and that is used up", async () => {
    const { clock, ends } = handClock();
    const wake = new Wake(clock);
    wake.hint();
    wake.hint();
    expect(await wake.wait(LONG_MS)).toBe(true);
    const next = wake.wait(LONG_MS);
    expect(wake.isHinted()).toBe(false);
    ends[0]?.();
    expect(await next).toBe(false);
  });

  test("hears a hint though the sleep of the wait before ends only now", async () => {
    const { clock, ends } = handClock();
    const wake = new Wake(clock);
    const first = wake.wait(LONG_MS);
    wake.hint();
    await first;
    const second = wake.wait(LONG_MS);
    ends[0]?.();
    await turn();
    wake.hint();
    expect(await second).toBe(true);
  });
});
