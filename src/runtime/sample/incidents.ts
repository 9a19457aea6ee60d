/** Reviews of closed incidents that are overdue (LB-slo-02). */
import type { Sql } from "../../store/database.js";
import { countOverdueReviews } from "../../store/incident-timers.js";
import { gauge, type SampleSource } from "./source.js";

export function incidentsSource(sql: Sql): SampleSource {
  return {
    name: "incidents",
    collect: async (now) => {
      const overdue = await countOverdueReviews(sql, now);
      return gauge("algobrain.incidents.post_mortems_overdue", overdue, now);
    },
  };
}
