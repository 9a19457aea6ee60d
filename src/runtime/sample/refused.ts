/** What the bounds of monitoring.yaml kept out of the store of samples (AR-109): a label that grows without end. */
import type { Sql } from "../../store/database.js";
import { countRefusedSamples } from "../../store/sample-rounds.js";
import { gauge, type SampleSource } from "./source.js";

export function refusedSource(sql: Sql): SampleSource {
  return {
    name: "refused",
    collect: async (now) =>
      gauge("algobrain.samples.refused_total", await countRefusedSamples(sql), now),
  };
}
