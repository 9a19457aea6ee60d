/**
 * maintenance: keeps the tables that live work changes fit for it. Asked for a task, it does that to all of
 * them; asked for none, as by the hourly schedule, it does only what autovacuum has left undone. Each
 * statement is bounded in time; what could not be done is said in the result, and the next hour tries again.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { errorMessage } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { Database, Session } from "../../store/database.js";
import {
  careForTable,
  HOT_TABLES,
  type HotTable,
  prepareForCare,
} from "../../store/maintenance.js";
import { addSampleDay } from "../../store/sample-partitions.js";
import { listSnapshotHolders, readVacuumNeeds, type VacuumNeed } from "../../store/table-health.js";
import { rebuildBloated } from "./rebuild-bloated.js";
import type { MaintenancePayload } from "./system-kinds.js";

/** Made ahead: a week without maintenance still finds its days. */
const SAMPLE_DAYS_AHEAD = 7;
/** A table that takes longer is cared for next hour, by autovacuum, or by a person at a quiet time. */
const STATEMENT_MAX_MS = 5 * MINUTE_MS;
/** Autovacuum comes at one; at this many times as much it has not kept up. */
const LAG_FACTOR = 2;

export function createMaintenanceHandler(deps: { readonly db: Database }): JobHandler {
  return {
    kind: "maintenance",
    run: async (context): Promise<JsonObject> => {
      const { task } = context.job.payload as MaintenancePayload;
      const days = await addSampleDays(deps.db, context);
      return deps.db.connect(async (session) => {
        await prepareForCare(session, task ? 0 : STATEMENT_MAX_MS);
        const [holder] = await listSnapshotHolders(session);
        const tables = task
          ? await careForAll(session, task, context)
          : await careForLagging(session, context);
        const indexes = task ? {} : await rebuildBloated(session, context, holder ?? null);
        const done = { task: task ?? "as-needed", tables, ...indexes, sample_days_added: days };
        return { ...done, oldest_snapshot: holder ? { ...holder } : null };
      });
    },
  };
}

async function addSampleDays(db: Database, context: JobContext): Promise<number> {
  for (let added = 0; ; added++) {
    context.signal.throwIfAborted();
    try {
      const name = await db.transaction((tx) => addSampleDay(tx, context.now(), SAMPLE_DAYS_AHEAD));
      if (name === null) return added;
    } catch (error) {
      context.log.warn("maintenance.left-undone", {
        what: "sample days",
        error: errorMessage(error),
      });
      return added;
    }
  }
}

async function careForAll(
  session: Session,
  task: "vacuum" | "analyze",
  { signal }: JobContext,
): Promise<JsonObject[]> {
  for (const table of HOT_TABLES) {
    signal.throwIfAborted();
    await careForTable(session, table, task);
  }
  return (await readVacuumNeeds(session, HOT_TABLES)).map(toReport);
}

async function careForLagging(session: Session, context: JobContext): Promise<JsonObject[]> {
  const tables: JsonObject[] = [];
  for (const need of await readVacuumNeeds(session, HOT_TABLES)) {
    context.signal.throwIfAborted();
    const task = lagOf(need);
    if (task === null) continue;
    const left = await tryToCare(session, need.table as HotTable, task, context);
    tables.push({ ...toReport(need), done: task, ...(left === null ? {} : { left_undone: left }) });
  }
  return tables;
}

function lagOf(need: VacuumNeed): "vacuum" | "analyze" | null {
  if (need.deadRows > LAG_FACTOR * need.vacuumAtRows) return "vacuum";
  return need.changedRows > LAG_FACTOR * need.analyzeAtRows ? "analyze" : null;
}

/** Why it could not be done; null when it was. */
async function tryToCare(
  session: Session,
  table: HotTable,
  task: "vacuum" | "analyze",
  { log }: JobContext,
): Promise<string | null> {
  try {
    await careForTable(session, table, task, true);
    return null;
  } catch (error) {
    log.warn("maintenance.left-undone", {
      what: `${task} of ${table}`,
      error: errorMessage(error),
    });
    return errorMessage(error);
  }
}

function toReport(need: VacuumNeed): JsonObject {
  const { table, liveRows, deadRows, bytes } = need;
  return { table, live_rows: liveRows, dead_rows: deadRows, bytes };
}
