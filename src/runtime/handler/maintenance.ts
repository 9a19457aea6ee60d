/**
 * maintenance: keeps the database fit for live work. Asked for a task, it does that; asked for none, as by the hourly
 * schedule, it does only what autovacuum has left undone, and a backup a day where the policy wants one. Each
 * statement is bounded in time; what could not be done is said in the result, and the next hour tries again.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { errorMessage, Fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Database, Session } from "../../store/database.js";
import {
  careForTable,
  HOT_TABLES,
  type HotTable,
  prepareForCare,
} from "../../store/maintenance.js";
import { addSampleDay } from "../../store/sample-partitions.js";
import { listSnapshotHolders, readVacuumNeeds, type VacuumNeed } from "../../store/table-health.js";
import type { BackupPlace } from "../../store/take-backup.js";
import { backUp, isBackupDue } from "./backup-task.js";
import { reportIndexes } from "./index-report.js";
import { rebuildBloated } from "./rebuild-bloated.js";
import { dropScratch, testRestore } from "./restore-test.js";
import type { MaintenancePayload } from "./system-kinds.js";

/** Made ahead: a week without maintenance still finds its days. */
const SAMPLE_DAYS_AHEAD = 7;
/** A table that takes longer is cared for next hour, by autovacuum, or by a person at a quiet time. */
const STATEMENT_MAX_MS = 5 * MINUTE_MS;
/** Autovacuum comes at one; at this many times as much it has not kept up. */
const LAG_FACTOR = 2;

export interface MaintenanceDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly care: BackupPlace;
}

export function createMaintenanceHandler(deps: MaintenanceDeps): JobHandler {
  return {
    kind: "maintenance",
    run: async (context): Promise<JsonObject> => {
      const { task = "as-needed" } = context.job.payload as MaintenancePayload;
      return { task, ...(await TASKS[task](deps, context)) };
    },
  };
}

type Task = NonNullable<MaintenancePayload["task"]> | "as-needed";
type RunTask = (deps: MaintenanceDeps, context: JobContext) => Promise<JsonObject>;

const TASKS: Readonly<Record<Task, RunTask>> = {
  "as-needed": doWhatIsNeeded,
  vacuum: careForAll("vacuum"),
  analyze: careForAll("analyze"),
  partitions: async ({ db }, context) => ({ sample_days_added: await addSampleDays(db, context) }),
  report: ({ db, policy }, { now }) => {
    const { unusedIndexDays } = policy().workload.maintenance;
    return db.connect(async (session) => {
      await prepareForCare(session, STATEMENT_MAX_MS);
      return reportIndexes({ sql: session, now: now(), unusedIndexDays });
    });
  },
  backup: ({ db, care, policy }, context) => {
    const { backupsKeep } = policy().workload.maintenance;
    return backUp({ db, care, backupsKeep }, context);
  },
  "restore-test": testRestore,
};

async function doWhatIsNeeded(deps: MaintenanceDeps, context: JobContext): Promise<JsonObject> {
  const days = await addSampleDays(deps.db, context);
  const cared = await deps.db.connect(async (session) => {
    await prepareForCare(session, STATEMENT_MAX_MS);
    const [holder] = await listSnapshotHolders(session);
    const tables = await careForLagging(session, context);
    const indexes = await rebuildBloated(session, context, holder ?? null);
    return { tables, ...indexes, oldest_snapshot: holder ? { ...holder } : null };
  });
  const scratch = await dropScratch(deps);
  const done = { ...cared, sample_days_added: days, scratch_databases_dropped: scratch.length };
  const { backup } = deps.policy().workload.maintenance;
  if (!backup || !(await isBackupDue(deps.care.backupsDir, context.now()))) return done;
  return { ...done, backup: await TASKS.backup(deps, context) };
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

function careForAll(task: "vacuum" | "analyze"): RunTask {
  return ({ db }, { signal, log }) =>
    db.connect(async (session) => {
      await prepareForCare(session);
      const left = new Map<string, string>();
      for (const table of HOT_TABLES) {
        signal.throwIfAborted();
        const why = await unlessRefused(() => careForTable(session, table, task));
        if (why !== null) left.set(table, why);
      }
      const [why] = left.values();
      if (why !== undefined) log.warn("maintenance.left-undone", { what: task, error: why });
      const tables = (await readVacuumNeeds(session, HOT_TABLES)).map((need) => ({
        ...toReport(need),
        ...(left.has(need.table) ? { left_undone: left.get(need.table)! } : {}),
      }));
      const [holder] = await listSnapshotHolders(session);
      return { tables, oldest_snapshot: holder ? { ...holder } : null };
    });
}

/** A user who may not vacuum leaves it to autovacuum, and the result says so; any other failure is the job's. */
async function unlessRefused(care: () => Promise<void>): Promise<string | null> {
  try {
    await care();
    return null;
  } catch (error) {
    if (error instanceof Fault && error.kind === "refused") return errorMessage(error);
    throw error;
  }
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
