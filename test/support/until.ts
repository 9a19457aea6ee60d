/** Waits for a fact, not for a time: polls until the condition holds, and fails by name when it never does. */
import { systemClock } from "../../src/base/clock.js";

/** A machine may stand still for longer than any deadline: a fact may come late, but not later than so many looks. */
const LOOKS_MIN = 100;

/** A pause that took so much longer was none of ours: whoever is waited for stood still, too. */
const STANDSTILL_MS = 1_000;

/** Most facts come at once: the first looks follow one another closely, the later ones cost less. */
const POLL_MIN_MS = 2;
const POLL_MAX_MS = 20;

export async function until<T>(
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  what: string,
  timeoutMs = 45_000,
): Promise<T> {
  // The time of day may jump, also on a machine that was put to sleep.
  let deadline = performance.now() + timeoutMs;
  let pauseMs = POLL_MIN_MS;
  for (let looks = 1; ; looks++) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline && looks >= LOOKS_MIN) {
      throw new Error(`gave up after ${timeoutMs} ms: ${what}`);
    }
    const pausedMs = performance.now();
    await systemClock.sleep(pauseMs);
    const stoodMs = performance.now() - pausedMs - pauseMs;
    if (stoodMs > STANDSTILL_MS) deadline += stoodMs;
    pauseMs = Math.min(2 * pauseMs, POLL_MAX_MS);
  }
}
