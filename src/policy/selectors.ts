/** Which series a signal reads: the one list, for the checks, the evaluator and every outlet. */
import type { Selector, Signal } from "./policy.js";

/** First what is looked at, then what it is compared with. */
export function selectorsOf(signal: Signal): Selector[] {
  switch (signal.form) {
    case "ratio":
      return [signal.num, signal.all];
    case "div":
      return [signal.num, signal.den];
    case "burn":
      return [signal.bad, signal.all];
    default:
      return [signal.of];
  }
}
