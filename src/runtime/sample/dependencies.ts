/** Breakers of the systems that we call (AL-met-01). One that has never been called has no sample. */
import type { Breaker } from "../../base/breaker.js";
import type { Sql } from "../../store/database.js";
import { listDependencies } from "../../store/dependencies.js";
import { gauge, type SampleSource } from "./source.js";

export function dependenciesSource(sql: Sql): SampleSource {
  return {
    name: "dependencies",
    collect: async (now) => {
      const rows = await listDependencies(sql);
      return rows.flatMap(({ name, breaker }) =>
        gauge("algobrain.breaker.state", levelOf(breaker, now), now, { dependency: name }),
      );
    },
  };
}

/** As a number, so that a rule can say "open": larger is worse. Open, but free to be probed, holds nobody back. */
function levelOf({ state, nextAt }: Breaker, now: Date): number {
  if (state === "closed") return 0;
  return state === "open" && nextAt !== null && nextAt > now ? 2 : 1;
}
