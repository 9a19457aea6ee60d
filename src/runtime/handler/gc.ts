/**
 * gc (HB-wrk-07): deletes what retention says is too old (HB-cfg-01…04), a thousand rows a statement, so
 * that claims are never kept waiting. Quarantined jobs wait for a person: they are written to a file
 * before they go. Never touches pending or running jobs. An interrupted run goes on at the next.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DAY_MS } from "../../base/duration.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { PolicySet, Retention } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import {
  countExpired,
  deleteExpired,
  deleteJobs,
  lockExpiredQuarantined,
  RETAINED_ENTITIES,
  type RetainedEntity,
} from "../../store/retention.js";
import { ensureExportsFolder } from "./exports-folder.js";
import type { GcPayload } from "./system-kinds.js";

export interface GcDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  /** Folder for what is kept of deleted rows; made when missing. */
  readonly exportsDir: string;
}

const DAYS: Readonly<Record<RetainedEntity, (retention: Retention) => number>> = {
  events: ({ eventsDays }) => eventsDays,
  jobs: ({ jobsDays }) => jobsDays,
  quarantined_jobs: ({ quarantinedJobsDays }) => quarantinedJobsDays,
  healdec_log: ({ healdecLogsDays }) => healdecLogsDays,
  samples: ({ samplesDays }) => samplesDays,
};

export function createGcHandler(deps: GcDeps): JobHandler {
  return {
    kind: "gc",
    run: async (context): Promise<JsonObject> => {
      const { dry_run: isDryRun = false } = context.job.payload as GcPayload;
      const { retention } = deps.policy();
      const rows: JsonObject = {};
      for (const entity of RETAINED_ENTITIES) {
        const before = new Date(context.now().getTime() - DAYS[entity](retention) * DAY_MS);
        rows[entity] = isDryRun
          ? await countExpired(deps.db, entity, before)
          : await collect(deps, entity, before, context);
      }
      context.log.info("gc.completed", { dry_run: isDryRun, ...rows });
      return { dry_run: isDryRun, rows };
    },
  };
}

async function collect(
  deps: GcDeps,
  entity: RetainedEntity,
  before: Date,
  context: JobContext,
): Promise<number> {
  let deleted = 0;
  for (;;) {
    context.signal.throwIfAborted();
    const count =
      entity === "quarantined_jobs"
        ? await exportThenDelete(deps, before, context.job.id)
        : await deleteExpired(deps.db, entity, before);
    if (count === 0) return deleted;
    deleted += count;
  }
}

/** On disk before it leaves the database: a crash in between writes a row twice, and loses none. */
async function exportThenDelete(deps: GcDeps, before: Date, jobId: string): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const rows = await lockExpiredQuarantined(tx, before);
    if (rows.length === 0) return 0;
    await appendLines(
      deps.exportsDir,
      `quarantined-jobs-${jobId}.ndjson`,
      rows.map(({ line }) => line),
    );
    return deleteJobs(
      tx,
      rows.map(({ seq }) => seq),
    );
  });
}

async function appendLines(folder: string, name: string, lines: readonly string[]): Promise<void> {
  await ensureExportsFolder(folder);
  const file = await open(join(folder, name), "a", 0o600);
  try {
    await file.appendFile(lines.map((line) => `${line}\n`).join(""));
    await file.datasync();
  } finally {
    await file.close();
  }
}
