// Series as our own catalogue has them: what stands still, what counts, what jitters. Deterministic by the seed.
import { storable } from "../../dist/src/alert/chunk.js";

/** Of 100 series: how many behave like this. Roughly our catalogue times its labels, with more noise than there is. */
const MIXTURE = [
  {
    share: 20,
    name: "constant",
    kind: "gauge",
    unit: "count",
    next:
      () =>
      (_, { level }) =>
        level,
  },
  { share: 25, name: "small-count", kind: "gauge", unit: "count", next: smallCount },
  { share: 25, name: "counter", kind: "counter", unit: "count", next: counter },
  {
    share: 15,
    name: "noisy-ratio",
    kind: "gauge",
    unit: "ratio",
    next: () => (random) => random(),
  },
  { share: 10, name: "latency", kind: "gauge", unit: "ms", next: () => latency },
  { share: 5, name: "heartbeat", kind: "gauge", unit: "timestamp", next: () => heartbeat },
];

/** Functions `(slot in ms) => value`, to be called slot after slot. */
export function makeSeries(count, seed = 6) {
  const deck = MIXTURE.flatMap((one) => Array(one.share).fill(one));
  return Array.from({ length: count }, (_, n) => {
    const { name, kind, unit, next } = deck[(n * 37) % deck.length];
    const random = randomOf(seed * 7_919 + n);
    const step = next();
    const state = { level: Math.floor(random() * 100), at: 0 };
    return {
      name,
      valueAt: (ms) => {
        state.at = ms;
        return storable(step(random, state), kind, unit);
      },
    };
  });
}

/** Mostly nothing, then a queue that fills and empties. */
function smallCount() {
  let depth = 0;
  return (random) => {
    if (depth === 0 && random() < 0.01) depth = Math.floor(random() * 200);
    else if (depth > 0) depth = Math.max(depth + Math.floor(random() * 9) - 5, 0);
    return depth;
  };
}

/** Grows by what a busy kind does in 15 s; a restart once in a few hours. */
function counter() {
  let total = 0;
  return (random) => {
    total = random() < 0.0005 ? 0 : total + Math.floor(random() * 40);
    return total;
  };
}

/** From 5 ms to some seconds, log-normal. */
function latency(random) {
  const normal = Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  return 40 * Math.exp(normal);
}

/** The time of a beat that is late by some milliseconds, in seconds. */
function heartbeat(random, { at }) {
  return (at + Math.floor(random() * 20)) / 1_000;
}

/** Park and Miller's minimal standard generator: [0, 1). */
function randomOf(seed) {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
