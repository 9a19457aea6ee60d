/** Breakers of the systems that we call (AL-met-01). One that has never been called has no sample. */
import type { BreakerState } from "../../base/breaker.js";
import type { Sql } from "../../store/database.js";
import { listDependencies } from "../../store/dependencies.js";
import { gauge, type SampleSource } from "./source.js";

/** As numbers, so that a rule can say "open": larger is worse. */
const LEVEL: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

export function dependenciesSource(sql: Sql): SampleSource {
  return {
    name: "dependencies",
    collect: async (now) => {
      const rows = await listDependencies(sql);
      return rows.flatMap(({ name, breaker }) =>
        gauge("algobrain.breaker.state", LEVEL[breaker.state], now, { dependency: name }),
      );
    },
  };
}
