/** Waits for a fact, not for a time: polls until the condition holds, and fails by name when it never does. */
import { systemClock } from "../../src/base/clock.js";

/** Most facts come at once: the first looks follow one another closely, the later ones cost less. */
const POLL_MIN_MS = 2;
const POLL_MAX_MS = 20;

export async function until<T>(
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  what: string,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = systemClock.now().getTime() + timeoutMs;
  for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, POLL_MAX_MS)) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (systemClock.now().getTime() > deadline) {
      throw new Error(`gave up after ${timeoutMs} ms: ${what}`);
    }
    await systemClock.sleep(pauseMs);
  }
}
