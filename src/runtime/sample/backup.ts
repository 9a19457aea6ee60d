/** When a backup was last taken and proven readable (AR-26), and when one was last restored and found whole. */
import type { Sql } from "../../store/database.js";
import { readLastWell } from "../../store/maintenance-reports.js";
import { readBackupProvenAt } from "../../store/runtime-samples.js";
import { gauge, type SampleSource } from "./source.js";

export function backupSource(sql: Sql): SampleSource {
  return {
    name: "backup",
    collect: async (now) => {
      const asked = [readBackupProvenAt(sql), readLastWell(sql, "restore-test")] as const;
      const [provenAt, restoredAt] = await Promise.all(asked);
      return [
        ...gauge("algobrain.backup.verified_at", seconds(provenAt), now),
        ...gauge("algobrain.backup.restore_tested_at", seconds(restoredAt), now),
      ];
    },
  };
}

function seconds(at: Date | null): number | null {
  return at && at.getTime() / 1_000;
}
