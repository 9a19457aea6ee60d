/** When a backup was last taken and proven readable (AR-26): by the runbook that does both. */
import type { Sql } from "../../store/database.js";
import { readBackupProvenAt } from "../../store/runtime-samples.js";
import { gauge, type SampleSource } from "./source.js";

export function backupSource(sql: Sql): SampleSource {
  return {
    name: "backup",
    collect: async (now) => {
      const at = await readBackupProvenAt(sql);
      return gauge("algobrain.backup.verified_at", at && at.getTime() / 1_000, now);
    },
  };
}
