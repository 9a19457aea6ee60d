/**
 * gc (HB-wrk-07): deletes what retention says is too old (HB-cfg-01…04), a thousand rows a statement, so
 * that claims are never kept waiting. What waits for a person or proves something is written to a file
 * before it goes. Never touches pending or running jobs. An interrupted run goes on at the next.
 */
import { DAY_MS } from "../../base/duration.js";
import { Fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { PolicySet } from "../../policy/policy.js";
import { appendAudit } from "../../store/audit.js";
import type { Database } from "../../store/database.js";
import {
  type Batch,
  countExpired,
  deleteExpired,
  deleteExported,
  type ExportedEntity,
  lockExpired,
  RETAINED_ENTITIES,
  type RetainedEntity,
} from "../../store/retention.js";
import { dropSampleDay, listSampleDaysBefore } from "../../store/sample-partitions.js";
import { deleteEmptySeries, deleteExpiredSamples } from "../../store/sample-retention.js";
import { expiriesOf } from "../expiry.js";
import { appendLines, deleteFiles, listFilesBefore } from "./exports-folder.js";
import type { GcPayload } from "./system-kinds.js";

export interface GcDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  /** Folder for what is kept of deleted rows; made when missing. */
  readonly exportsDir: string;
}

export function createGcHandler(deps: GcDeps): JobHandler {
  return {
    kind: "gc",
    run: async (context): Promise<JsonObject> => {
      const { dry_run: isDryRun = false } = context.job.payload as GcPayload;
      const now = context.now();
      const { retention } = deps.policy();
      const rows: Record<string, number> = {};
      for (const [entity, before] of expiriesOf(retention, now)) {
        rows[entity] = isDryRun
          ? await countExpired(deps.db, entity, before)
          : await collect(deps, entity, before, context);
      }
      const old = new Date(now.getTime() - retention.exportsDays * DAY_MS);
      const files = await listFilesBefore(deps.exportsDir, old);
      if (!isDryRun) await deleteFiles(files);
      context.log.info("gc.completed", { dry_run: isDryRun, ...rows, export_files: files.length });
      return { dry_run: isDryRun, rows, export_files: files.length };
    },
  };
}

async function collect(
  deps: GcDeps,
  entity: RetainedEntity,
  before: Date,
  context: JobContext,
): Promise<number> {
  if (entity === "samples") return collectSamples(deps.db, before, context);
  if (entity === "quarantined_jobs" || entity === "audit_log")
    return inBatches(entity, context, async () => ({
      count: await exportThenDelete(deps, entity, before, context.job.id),
      reached: null,
    }));
  return inBatches(entity, context, (from) => deleteExpired(deps.db, entity, before, from));
}

/** By whole days: of chunks and rounds, and of the partitions that are left of the versions before. */
async function collectSamples(db: Database, before: Date, context: JobContext): Promise<number> {
  const inChunks = await inBatches("samples", context, async () => ({
    count: await deleteExpiredSamples(db, before),
    reached: null,
  }));
  const inRows = await collectFormerSamples(db, before, context);
  const series = await deleteEmptySeries(db);
  if (series > 0) context.log.info("gc.series-forgotten", { series });
  return inChunks + inRows;
}

/** Days that have a partition are dropped; the few rows that lie elsewhere are deleted. */
async function collectFormerSamples(
  db: Database,
  before: Date,
  context: JobContext,
): Promise<number> {
  let dropped = 0;
  for (const day of await listSampleDaysBefore(db, before)) {
    context.signal.throwIfAborted();
    try {
      dropped += await db.transaction((tx) => dropSampleDay(tx, day));
      context.log.info("gc.partition-dropped", { partition: day });
    } catch (error) {
      if (!(error instanceof Fault && error.code === "DATABASE_UNAVAILABLE")) throw error;
      // In use just now. Its rows are not worth a deletion one by one: the next run drops it.
      context.log.warn("gc.partition-in-use", { partition: day, error: error.message });
      return dropped;
    }
  }
  const rest = await inBatches("samples", context, (from) =>
    deleteExpired(db, "samples", before, from),
  );
  return dropped + rest;
}

/** Said this often while a long deletion goes on. */
const PROGRESS_BATCHES = 50;

async function inBatches(
  entity: RetainedEntity,
  context: JobContext,
  next: (from: string | null) => Promise<Batch>,
): Promise<number> {
  let deleted = 0;
  let from: string | null = null;
  for (let batches = 1; ; batches++) {
    context.signal.throwIfAborted();
    const { count, reached }: Batch = await next(from);
    if (count === 0) return deleted;
    deleted += count;
    from = reached;
    const share = RETAINED_ENTITIES.indexOf(entity) / RETAINED_ENTITIES.length;
    context.progress?.(share, `${entity}: ${deleted} deleted`);
    if (batches % PROGRESS_BATCHES === 0) context.log.info("gc.progress", { entity, deleted });
  }
}

const FILES: Readonly<Record<ExportedEntity, string>> = {
  quarantined_jobs: "quarantined-jobs",
  audit_log: "audit-log",
};

/** On disk before it leaves the database: a crash in between writes a row twice, and loses none. */
async function exportThenDelete(
  deps: GcDeps,
  entity: ExportedEntity,
  before: Date,
  jobId: string,
): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const rows = await lockExpired(tx, entity, before);
    if (rows.length === 0) return 0;
    const file = `${FILES[entity]}-${jobId}.ndjson`;
    await appendLines(
      deps.exportsDir,
      file,
      rows.map(({ line }) => line),
    );
    const seqs = rows.map(({ seq }) => seq);
    const count = await deleteExported(tx, entity, seqs);
    await appendAudit(tx, {
      actor: "gc",
      action: `${entity === "audit_log" ? "audit" : "quarantine"}.expired`,
      target: jobId,
      details: { rows: count, first: seqs[0]!, last: seqs.at(-1)!, file },
    });
    return count;
  });
}
