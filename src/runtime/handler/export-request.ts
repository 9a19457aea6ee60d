/** What an export job asks for, in full: where it goes, which rows, in which form. */
import type { CsvCell } from "../../base/csv.js";
import { csvLine } from "../../base/csv.js";
import { fault } from "../../base/fault.js";
import type { ExportTarget } from "../../job/export-port.js";
import type { HeldJob } from "../../job/job.js";
import { type ExportEntity, type ExportShape, exportColumns } from "../../store/export-rows.js";
import type { ExportPayload } from "./system-kinds.js";

export interface ExportTargets {
  readonly directory: ExportTarget;
  /** Null: none is configured. */
  readonly s3: ExportTarget | null;
}

export interface ExportRequest {
  readonly entity: ExportEntity;
  readonly format: "ndjson" | "csv";
  readonly target: ExportTarget;
  /** Of the file. */
  readonly name: string;
  readonly since: Date | null;
  readonly until: Date | null;
}

/** By default to the bucket if there is one. Throws a Fault for a bucket that there is not, and for times that make no span. */
export function readExportRequest(job: HeldJob, targets: ExportTargets): ExportRequest {
  const { entity, format = "ndjson", to, since, until } = job.payload as ExportPayload;
  const span = { since: momentOf("since", since), until: momentOf("until", until) };
  if (span.since !== null && span.until !== null && span.since >= span.until)
    throw fault.data(
      "EXPORT_SPAN_INVALID",
      `payload: since ${since} is not before until ${until}`,
      {
        hint: "rows are exported from since on and before until",
      },
    );
  return {
    ...{ entity, format, ...span, name: `${entity}-${job.id}.${format}.gz` },
    target: targetOf(targets, to),
  };
}

function targetOf({ directory, s3 }: ExportTargets, to: ExportPayload["to"]): ExportTarget {
  if (to === "s3" && s3 === null)
    throw fault.refused("EXPORT_TARGET_NOT_CONFIGURED", "there is no bucket for exports", {
      hint: 'set S3_EXPORTS_BUCKET (docs/operating.md), or ask with "to": "directory"',
    });
  return to === "directory" ? directory : (s3 ?? directory);
}

/** A day or a moment of UTC, by the payload's schema; but 2026-02-31 is none. */
function momentOf(member: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const at = new Date(text);
  if (!Number.isNaN(at.getTime()) && at.toISOString().startsWith(text.slice(0, 10))) return at;
  throw fault.data("EXPORT_SPAN_INVALID", `payload: ${member} is ${text}: there is no such day`, {
    hint: "write a day of the calendar, as in 2026-01-31",
  });
}

export interface ExportForm {
  readonly shape: ExportShape;
  /** Before the first row. */
  readonly heading: string;
  /** A row of the database as a row of the file. */
  readonly write: (line: string) => string;
}

export function exportForm({ entity, format }: ExportRequest): ExportForm {
  if (format === "ndjson") return { shape: "objects", heading: "", write: (line) => `${line}\n` };
  const columns = exportColumns(entity);
  const isText = columns.map(({ form }) => form === "text");
  const names = columns.map(({ name }) => name);
  return {
    shape: "cells",
    heading: csvLine(names, isText),
    write: (line) => csvLine(JSON.parse(line) as CsvCell[], isText),
  };
}
