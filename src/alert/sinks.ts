/** Several places to which metrics go, as one. */
import type { MetricsSink } from "./port.js";

/** Null where there is none, so that nothing is prepared for nobody. */
export function joinSinks(sinks: readonly (MetricsSink | null)[]): MetricsSink | null {
  const given = sinks.filter((sink) => sink !== null);
  if (given.length < 2) return given[0] ?? null;
  return {
    send: (samples) => {
      for (const sink of given) sink.send(samples);
    },
    heartbeat: (isAlive) => {
      for (const sink of given) sink.heartbeat(isAlive);
    },
    close: async () => {
      await Promise.all(given.map((sink) => sink.close()));
    },
  };
}
