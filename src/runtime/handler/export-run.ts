/** What an export job has begun: taken up again where it was left, begun anew where that is not possible. */
import type { Clock } from "../../base/clock.js";
import { Fault, fault } from "../../base/fault.js";
import type { ExportedPart, ExportTarget } from "../../job/export-port.js";
import type { JobContext } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { readRange, tableBytes } from "../../store/export-rows.js";
import {
  addExportRun,
  dropExportParts,
  type ExportRun,
  forgetExportRun,
  listExportParts,
  readExportRun,
  type StoredExportPart,
  type StoredExportRun,
  setUpload,
} from "../../store/export-runs.js";
import type { ExportRequest } from "./export-request.js";

export interface ExportWork {
  readonly db: Database;
  readonly clock: Clock;
  readonly request: ExportRequest;
  readonly run: OpenRun;
  readonly context: JobContext;
}

/** It can be gone on with. */
export type OpenRun = StoredExportRun & { readonly uploadId: string };

/** The one that an attempt before has left, or a new one. */
export async function openRun(
  db: Database,
  request: ExportRequest,
  context: JobContext,
  /** Null: by the size of the table. */
  partBytes: number | null,
): Promise<OpenRun> {
  const { job, signal } = context;
  const left = await readExportRun(db, job.seq);
  if (left !== null && hasUpload(left) && isSame(left, request)) return left;
  if (left !== null) await forgetRun(db, request.target, left, signal);
  await addExportRun(db, await planRun(db, request, context, partBytes));
  const upload = await request.target.begin(request.name, signal);
  const isOurs = await setUpload(db, job.seq, upload);
  const run = await readExportRun(db, job.seq);
  if (!isOurs || run === null || !hasUpload(run)) throw takenOver(request.name);
  return run;
}

function hasUpload(run: StoredExportRun): run is OpenRun {
  return run.uploadId !== null;
}

/** A payload that was changed between two attempts, or another target in the configuration, is another export. */
function isSame(run: StoredExportRun, request: ExportRequest): boolean {
  return (
    run.name === request.name &&
    run.target === request.target.name &&
    run.since?.getTime() === request.since?.getTime() &&
    run.until?.getTime() === request.until?.getTime()
  );
}

async function planRun(
  db: Database,
  { entity, format, target, name, since, until }: ExportRequest,
  context: JobContext,
  partBytes: number | null,
): Promise<ExportRun> {
  const { afterKey, maxKey } = await readRange(db, entity, { since, until });
  return {
    ...{ jobSeq: context.job.seq, asOf: context.now(), entity, format, target: target.name },
    ...{ name, since, until, fromKey: afterKey, maxKey },
    chunkBytes: partBytes ?? partBytesFor(await tableBytes(db, entity)),
  };
}

/** Whoever runs the job next begins anew. An upload to what is no longer the target ends by that one's own rules. */
export async function forgetRun(
  db: Database,
  target: ExportTarget,
  run: StoredExportRun,
  signal: AbortSignal,
): Promise<void> {
  if (run.uploadId !== null && run.target === target.name) await target.abort(run.uploadId, signal);
  await forgetExportRun(db, run);
}

/** What S3 takes for one object; the folder takes no more, so that an export may go to either. */
export const PARTS_MAX = 10_000;
/** S3 wants 5 MiB of every part but the last (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). */
const PART_BYTES_MIN = 8 * 1_048_576;
/** Two of them are in memory at once. */
const PART_BYTES_MAX = 32 * 1_048_576;
/** Compressed rows are smaller than the table; half of the number of parts is kept for when they are not. */
const PARTS_PLANNED = PARTS_MAX / 2;

function partBytesFor(tableSize: number): number {
  let bytes = PART_BYTES_MIN;
  while (bytes < PART_BYTES_MAX && bytes * PARTS_PLANNED < tableSize) bytes *= 2;
  return bytes;
}

/** The parts that both sides have; those behind the first that is missing are written again. */
export async function takeUp({
  db,
  request,
  run,
  context,
}: ExportWork): Promise<StoredExportPart[]> {
  const written = await listExportParts(db, run.jobSeq);
  if (written.length === 0) return written;
  const arrived = await request.target.parts(run.uploadId, context.signal);
  // Perhaps complete already, and its answer lost: the target knows.
  if (arrived === null && isWhole(run, written)) return written;
  if (arrived === null)
    throw fault.transient("EXPORT_UPLOAD_GONE", `the upload of ${run.name} is no longer there`, {
      hint: "the next attempt begins anew; look who else deletes there",
    });
  const missing = written.findIndex((part, i) => !isEqual(part, arrived[i]));
  if (missing === -1) return written;
  await dropExportParts(db, run, missing + 1);
  return written.slice(0, missing);
}

function isEqual(written: StoredExportPart, arrived: ExportedPart | undefined): boolean {
  return (
    arrived?.number === written.number &&
    arrived.bytes === written.bytes &&
    arrived.etag === written.etag
  );
}

/** Only the last part may be short: a row that is committed late must not make another one behind it. */
export function isWhole(run: StoredExportRun, parts: readonly StoredExportPart[]): boolean {
  const last = parts.at(-1);
  return last !== undefined && (last.bytes < run.chunkBytes || last.lastKey >= run.maxKey);
}

/** What has to begin anew. */
const LOST = new Set(["EXPORT_UPLOAD_GONE", "EXPORT_CHECKSUM_WRONG"]);

/** Nobody can go on behind what the target has lost, and asking again does not bring it back. */
export function isLost(error: unknown): boolean {
  return error instanceof Fault && LOST.has(error.code);
}

export function takenOver(name: string): Fault {
  return fault.transient("EXPORT_TAKEN_OVER", `another attempt of the same job writes ${name}`);
}
