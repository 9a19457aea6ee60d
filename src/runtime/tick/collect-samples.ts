/** Asks every source for its samples and stores them together: what the alerts are judged by. */
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Database } from "../../store/database.js";
import { insertSamples, type Sample } from "../../store/samples.js";
import type { SampleSource } from "../sample/source.js";
import type { Tick } from "../ticker.js";

/** A collection interval that three missed ones make stale (AR-36). */
const SAMPLES_EVERY_MS = 15_000;

export function collectSamplesTick(deps: {
  readonly db: Database;
  readonly log: Logger;
  readonly sources: readonly SampleSource[];
  /** Default 15 s. */
  readonly everyMs?: number | undefined;
}): Tick {
  return {
    name: "collect-samples",
    everyMs: deps.everyMs ?? SAMPLES_EVERY_MS,
    run: async (now) => {
      const collected = await Promise.all(deps.sources.map((source) => ask(source, now, deps.log)));
      await insertSamples(deps.db, collected.flat());
    },
  };
}

/** One blind source must not blind the others; its rules see missing data. */
async function ask(source: SampleSource, now: Date, log: Logger): Promise<Sample[]> {
  try {
    return await source.collect(now);
  } catch (error) {
    log.warn("samples.missing", { source: source.name, error: errorMessage(error) });
    return [];
  }
}
