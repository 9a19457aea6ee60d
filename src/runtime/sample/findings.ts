/** What the newest audit found wrong with the data. */
import { countOpenFindings } from "../../store/audit-findings.js";
import type { Sql } from "../../store/database.js";
import { gauge, type SampleSource } from "./source.js";

export function findingsSource(sql: Sql): SampleSource {
  return {
    name: "findings",
    collect: async (now) => gauge("algobrain.audit.findings", await countOpenFindings(sql), now),
  };
}
