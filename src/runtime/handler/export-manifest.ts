/** What stands beside an exported file, so that whoever gets it can prove that it is whole. */
import { compositeSha256 } from "../../base/composite-sha256.js";
import type { JsonObject } from "../../base/json.js";
import { exportColumns } from "../../store/export-rows.js";
import type { ExportRun, StoredExportPart } from "../../store/export-runs.js";

/** Same rows, same manifest: it says nothing of attempts and their times. */
export function exportManifest(
  run: ExportRun,
  parts: readonly StoredExportPart[],
  sha256: string | null,
): JsonObject {
  return {
    ...{ entity: run.entity, format: run.format, compression: "gzip", file: run.name },
    columns: exportColumns(run.entity).map(({ name }) => name),
    as_of: run.asOf.toISOString(),
    since: run.since?.toISOString() ?? null,
    until: run.until?.toISOString() ?? null,
    keys: { above: run.fromKey, up_to: run.maxKey },
    ...exportFigures(parts, sha256),
    parts: parts.map((part) => ({
      ...{ number: part.number, above: part.afterKey, up_to: part.lastKey },
      ...{ rows: part.rows, bytes: part.bytes, sha256: part.sha256 },
    })),
  };
}

/** `checksum` is S3's composite one; `sha256` is of the whole file, null where nobody has read all of it. */
export function exportFigures(
  parts: readonly StoredExportPart[],
  sha256: string | null,
): { rows: number; bytes: number; checksum: string; sha256: string | null } {
  return {
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    checksum: compositeSha256(parts.map((part) => part.sha256)),
    sha256,
  };
}
