/** How long a published policy has been on its way into force. One that was refused is on no way: AR-108 watches that. */
import type { Sql } from "../../store/database.js";
import { type BundleStatus, readNewestStatus } from "../../store/policy-bundles.js";
import { gauge, type SampleSource } from "./source.js";

const ON_ITS_WAY: readonly BundleStatus[] = ["published", "waiting", "held", "canary"];

export function adoptionSource(sql: Sql): SampleSource {
  return {
    name: "adoption",
    collect: async (now) => {
      const newest = await readNewestStatus(sql);
      if (newest === null) return [];
      const waitedMs = Math.max(now.getTime() - newest.publishedMs, 0);
      const lagS = ON_ITS_WAY.includes(newest.status) ? waitedMs / 1_000 : 0;
      return gauge("algobrain.policy.adoption_lag_s", lagS, now);
    },
  };
}
