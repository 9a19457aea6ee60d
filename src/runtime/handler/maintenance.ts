/** maintenance: returns dead rows and refreshes the planner's statistics of the tables that live work changes. */
import type { JsonObject } from "../../base/json.js";
import type { JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import {
  careForTable,
  HOT_TABLES,
  prepareForCare,
  readTableStatistics,
} from "../../store/maintenance.js";
import type { MaintenancePayload } from "./system-kinds.js";

export function createMaintenanceHandler(deps: { readonly db: Database }): JobHandler {
  return {
    kind: "maintenance",
    run: async ({ job, signal }): Promise<JsonObject> => {
      const { task = "vacuum" } = job.payload as MaintenancePayload;
      return deps.db.connect(async (session) => {
        await prepareForCare(session);
        for (const table of HOT_TABLES) {
          signal.throwIfAborted();
          await careForTable(session, table, task);
        }
        const tables = await readTableStatistics(session);
        return { task, tables: tables.map((statistics) => ({ ...statistics })) };
      });
    },
  };
}
