/**
 * gc (HB-wrk-07): deletes what retention says is too old (HB-cfg-01…04), counted first and held to that count, in
 * batches that live work does not notice. What waits for a person or proves something is written to a file before
 * it goes. Never touches pending or running jobs. An interrupted run goes on where it was.
 */
import type { Clock } from "../../base/clock.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import { appendAudit } from "../../store/audit.js";
import {
  BATCH_ROWS,
  countExpired,
  deleteExpired,
  deleteExported,
  type ExportedEntity,
  lockExpired,
} from "../../store/retention.js";
import { notAhead } from "../../store/server.js";
import { appendLines, deleteFiles, listFilesBefore } from "./exports-folder.js";
import { deleteInBatches, type NextBatch } from "./gc-batches.js";
import {
  type GcDue,
  type GcPlan,
  type GcPlanDeps,
  moreThanPreviewed,
  mostOf,
  planGc,
} from "./gc-plan.js";
import { collectSamples } from "./gc-samples.js";
import type { GcPayload } from "./system-kinds.js";

/** Of `exportsDir`: the folder for what is kept of deleted rows; made when missing. */
export interface GcDeps extends GcPlanDeps {
  readonly clock: Clock;
}

export function createGcHandler(deps: GcDeps): JobHandler {
  return {
    kind: "gc",
    run: async (context): Promise<JsonObject> => {
      const wish = context.job.payload as GcPayload;
      const isDryRun = wish.dry_run === true;
      const now = await notAhead(deps.db, context.now());
      const ask = { jobSeq: context.job.seq, wish, now };
      const plan = await planGc(deps, ask);
      const counts = isDryRun ? countsOf(plan) : await collectAll(deps, plan, context);
      const { export_files: files = 0, ...rows } = counts;
      const done = { dry_run: isDryRun, preview: plan.preview, rows, export_files: files };
      const some = Object.fromEntries(Object.entries(rows).filter(([, count]) => count > 0));
      context.log.info("gc.completed", { dry_run: isDryRun, ...some, export_files: files });
      return done;
    },
  };
}

function countsOf({ due }: GcPlan): Record<string, number> {
  return Object.fromEntries(due.map(({ entity, rows }) => [entity, rows]));
}

async function collectAll(
  deps: GcDeps,
  { due }: GcPlan,
  context: JobContext,
): Promise<Record<string, number>> {
  const all = due.reduce((sum, { rows }) => sum + rows, 0);
  const gone: Record<string, number> = {};
  let before = 0;
  for (const one of due) {
    gone[one.entity] = await collect(deps, one, { context, total: { due: all, before } });
    before += one.rows;
  }
  return gone;
}

interface Pace {
  readonly context: JobContext;
  readonly total: { readonly due: number; readonly before: number };
}

async function collect(deps: GcDeps, due: GcDue, pace: Pace): Promise<number> {
  const { db, clock, exportsDir } = deps;
  const { context } = pace;
  const { entity, before } = due;
  const most = mostOf(due.rows, deps.policy().adoption.retentionMargin);
  if (entity === "export_files") return collectFiles(exportsDir, due, most);
  const bound = { ...due, most, left: () => countExpired(db, entity, before) };
  const inBatches = (next: NextBatch) => deleteInBatches({ clock, ...pace }, bound, next);
  if (entity === "samples") return collectSamples({ db, before, context, inBatches });
  if (entity === "quarantined_jobs" || entity === "audit_log")
    return inBatches(async (limit) => ({
      count: await exportThenDelete(deps, { entity, before, limit }, context.job.id),
      reached: null,
    }));
  return inBatches((limit, from) => deleteExpired(db, entity, before, from, limit));
}

async function collectFiles(exportsDir: string, due: GcDue, most: number): Promise<number> {
  const files = await listFilesBefore(exportsDir, due.before);
  if (files.length > most) throw moreThanPreviewed(due, { due: files.length });
  await deleteFiles(files);
  return files.length;
}

const FILES: Readonly<Record<ExportedEntity, string>> = {
  quarantined_jobs: "quarantined-jobs",
  audit_log: "audit-log",
};

/** On disk before it leaves the database: a crash in between writes a row twice, and loses none. */
async function exportThenDelete(
  deps: GcDeps,
  of: { readonly entity: ExportedEntity; readonly before: Date; readonly limit: number },
  jobId: string,
): Promise<number> {
  const { entity, before } = of;
  return deps.db.transaction(async (tx) => {
    // Whole rows are held in memory until they are on disk: however quick it goes, no more at once.
    const rows = await lockExpired(tx, entity, before, Math.min(of.limit, BATCH_ROWS));
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
