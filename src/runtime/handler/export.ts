/**
 * export: rows of an entity as compressed NDJSON or CSV, to a folder or a bucket, in parts. A part that has arrived is
 * written down, and whoever takes the job up again goes on behind it: the bytes are those of a run that nobody disturbed.
 * The file has its name when it is whole, never before; the manifest beside it comes last.
 */
import type { Clock } from "../../base/clock.js";
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { ExportTarget } from "../../job/export-port.js";
import type { JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { endExportRun, type StoredExportPart } from "../../store/export-runs.js";
import { createDirectoryExport } from "./directory-export.js";
import { exportFigures, exportManifest } from "./export-manifest.js";
import { patiently, writeRest } from "./export-parts.js";
import { readExportRequest } from "./export-request.js";
import { type ExportWork, forgetRun, isLost, isWhole, openRun, takeUp } from "./export-run.js";

export interface ExportDeps {
  readonly db: Database;
  readonly clock: Clock;
  /** Made when missing. */
  readonly exportsDir: string;
  /** Null: exports stay on this machine. */
  readonly exportBucket?: ExportTarget | null;
  /** Compressed bytes of a part; by default by the size of the table. */
  readonly exportPartBytes?: number;
}

export function createExportHandler(deps: ExportDeps): JobHandler {
  const { db, clock } = deps;
  const directory = createDirectoryExport(deps.exportsDir);
  const targets = { directory, s3: deps.exportBucket ?? null };
  return {
    kind: "export",
    run: async (context): Promise<JsonObject> => {
      const request = readExportRequest(context.job, targets);
      const run = await openRun(db, request, context, deps.exportPartBytes ?? null);
      const work: ExportWork = { db, clock, request, run, context };
      try {
        return await carryOut(work);
      } catch (error) {
        if (isLost(error)) await forgetRun(db, request.target, run, context.signal);
        throw error;
      }
    },
  };
}

async function carryOut(work: ExportWork): Promise<JsonObject> {
  const { db, request, run, context } = work;
  const kept = await takeUp(work);
  const parts = isWhole(run, kept) ? kept : await writeRest(work, kept);
  const asked = [run.uploadId, parts, context.signal] as const;
  const { checksum, sha256 } = await patiently(work, () => request.target.complete(...asked));
  const figures = exportFigures(parts, sha256);
  if (checksum !== null && checksum !== figures.checksum)
    throw fault.transient(
      "EXPORT_CHECKSUM_WRONG",
      `${placeOf(work)} has the checksum ${checksum}, and its parts ${figures.checksum}`,
      { hint: "the next attempt begins anew; look at what else writes there" },
    );
  const manifest = JSON.stringify(exportManifest(run, parts, sha256), null, 2);
  await patiently(work, () =>
    request.target.writeSmall(`${run.name}.manifest.json`, `${manifest}\n`, context.signal),
  );
  await endExportRun(db, run.jobSeq, context.now());
  return resultOf(work, parts, sha256);
}

/** `sha256` is of the whole file; null where the target could not read it. */
function resultOf(
  work: ExportWork,
  parts: readonly StoredExportPart[],
  sha256: string | null,
): JsonObject {
  const { entity, format } = work.request;
  const file = placeOf(work);
  const manifest = `${file}.manifest.json`;
  return { entity, format, file, manifest, parts: parts.length, ...exportFigures(parts, sha256) };
}

function placeOf({ request, run }: ExportWork): string {
  return `${request.target.name}/${run.name}`;
}
