/** Emergency settings hold no longer the moment their time has come; this says so, and whoever began them hears it. */
import type { Database } from "../../store/database.js";
import { endExpiredOverrides, hasExpiredOverrides } from "../../store/policy-overrides.js";
import type { Emit } from "../events.js";
import { wordOfOverride } from "../policy-word.js";
import type { RuntimeNotify } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 10_000;

export function endOverridesTick(deps: {
  readonly db: Database;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
}): Tick {
  return {
    name: "end-overrides",
    everyMs: EVERY_MS,
    run: async () => {
      if (!(await hasExpiredOverrides(deps.db))) return;
      const ended = await deps.db.transaction(async (tx) => {
        const expired = await endExpiredOverrides(tx);
        for (const override of expired) await deps.notify(tx, wordOfOverride(override, "expired"));
        return expired;
      });
      for (const { path } of ended)
        deps.emit({ event: "policy.override-ended", path, by: "expiry" });
    },
  };
}
