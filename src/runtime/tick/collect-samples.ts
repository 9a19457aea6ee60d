/**
 * Asks every source for its samples and stores them as one round, on the grid of the interval: what rules are judged by.
 * Figures are rounded before they are stored, so that production and every later replay see the same.
 */
import { storable } from "../../alert/chunk.js";
import type { MetricsSink } from "../../alert/port.js";
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import { insertSamples, type Sample } from "../../store/samples.js";
import { noteSign } from "../../store/signs-of-life.js";
import { LEADER_SOURCE } from "../evaluator-board.js";
import type { SampleSource } from "../sample/source.js";
import type { Tick } from "../ticker.js";

/** A collection interval that three missed ones make stale (AR-36). */
const SAMPLES_EVERY_MS = 15_000;

export interface CollectSamplesDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly policy: () => Pick<PolicySet, "metrics" | "monitoring">;
  readonly sources: readonly SampleSource[];
  /** Whose round it is: those of one moment and one name are one. Default: that of who leads. */
  readonly source?: string | undefined;
  /** Default 15 s. */
  readonly everyMs?: number | undefined;
  /** Where the round goes besides. */
  readonly sink?: MetricsSink | null | undefined;
}

export function collectSamplesTick(deps: CollectSamplesDeps): Tick {
  const { db, log, sources, source = LEADER_SOURCE, everyMs = SAMPLES_EVERY_MS } = deps;
  return {
    name: "collect-samples",
    everyMs,
    aligned: true,
    run: async (now) => {
      const collected = await Promise.all(sources.map((one) => ask(one, now, log)));
      const { metrics, monitoring } = deps.policy();
      const slot = new Date(now.getTime() - (now.getTime() % everyMs));
      const round = collected.flat().map((sample) => toRound(sample, slot, metrics));
      if (round.length === 0) return;
      const { refused } = await db.transaction(async (tx) => {
        const stored = await insertSamples(tx, round, source, monitoring.samples);
        if (source === LEADER_SOURCE) await noteSign(tx, "samples", now);
        return stored;
      });
      if (refused > 0) log.warn("samples.refused", { source, refused });
      deps.sink?.send(round.map((sample) => ({ ...sample, kind: kindOf(sample, metrics) })));
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

type Metrics = PolicySet["metrics"];

function toRound(sample: Sample, slot: Date, metrics: Metrics): Sample {
  const { unit = "count" } = metrics[sample.metric] ?? {};
  return { ...sample, at: slot, value: storable(sample.value, kindOf(sample, metrics), unit) };
}

/** A policy of an older version may not know it yet; a gauge is the least that it can be. */
function kindOf({ metric }: Sample, metrics: Metrics) {
  return metrics[metric]?.kind ?? "gauge";
}
