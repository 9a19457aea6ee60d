/** Whether the newest policy that was published is kept out of force: what AR-108 watches. */
import type { Sql } from "../../store/database.js";
import { readNewestStatus } from "../../store/policy-bundles.js";
import { gauge, type SampleSource } from "./source.js";

/** Of the newest bundle: people believe it in force, and it is not. Waiting for an image is no trouble. */
const KEPT_OUT: readonly string[] = ["held", "refused", "rolled-back"];

export function policySource(options: {
  readonly sql: Sql;
  /** Whether what lies at the source of bundles now was refused at the door. */
  readonly isSourceRefused: () => boolean;
}): SampleSource {
  return {
    name: "policy",
    collect: async (now) => {
      const newest = await readNewestStatus(options.sql);
      const isKeptOut = newest !== null && KEPT_OUT.includes(newest.status);
      const count = Number(isKeptOut) + Number(options.isSourceRefused());
      return gauge("algobrain.policy.refused_or_held", count, now);
    },
  };
}
