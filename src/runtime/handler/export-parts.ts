/** The parts of an export, one after the other: made of the rows behind the last, sent, and written down. */
import { createHash } from "node:crypto";
import { type Fault, fault, toFault } from "../../base/fault.js";
import type { JobContext } from "../../job/port.js";
import type { Session } from "../../store/database.js";
import { type ExportRow, streamRows } from "../../store/export-rows.js";
import {
  addExportPart,
  type StoredExportPart,
  type StoredExportRun,
} from "../../store/export-runs.js";
import { ChunkRoom, makeChunk } from "./export-chunks.js";
import { exportForm } from "./export-request.js";
import { type ExportWork, isLost, isWhole, PARTS_MAX, takenOver } from "./export-run.js";

/** Those behind `kept`; the answer is all of them. */
export async function writeRest(
  work: ExportWork,
  kept: readonly StoredExportPart[],
): Promise<StoredExportPart[]> {
  const parts = [...kept];
  const room = new ChunkRoom(work.run.chunkBytes);
  await work.db.connect(async (session) => {
    while (!isWhole(work.run, parts)) {
      const part = await writePart(work, { session, room }, parts);
      if (part === null) break;
      parts.push(part);
    }
  });
  return parts;
}

/** Null: there are no more rows. An export without any is one part without rows. */
async function writePart(
  work: ExportWork,
  { session, room }: { readonly session: Session; readonly room: ChunkRoom },
  before: readonly StoredExportPart[],
): Promise<StoredExportPart | null> {
  const { db, request, run, context } = work;
  const number = before.length + 1;
  if (number > PARTS_MAX) throw tooLarge(run.name);
  const { signal } = context;
  const afterKey = before.at(-1)?.lastKey ?? run.fromKey;
  const { shape, heading, write } = exportForm(request);
  const rows = streamRows(session, run.entity, shape, { ...run, afterKey });
  const chunk = await makeChunk(watched(rows, run, before, context), room, {
    ...{ chunkBytes: run.chunkBytes, heading: number === 1 ? heading : "", write, signal },
  });
  if (chunk.lastKey === null && number > 1) return null;
  const { bytes } = chunk;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const put = () => request.target.put(run.uploadId, { number, bytes, sha256 }, signal);
  const { etag } = await patiently(work, put);
  const part: StoredExportPart = {
    ...{ number, afterKey, lastKey: chunk.lastKey ?? afterKey, rows: chunk.rows },
    ...{ bytes: bytes.length, sha256, etag },
  };
  if (!(await addExportPart(db, run, part))) throw takenOver(run.name);
  return part;
}

/** As many as make a difference to who looks. */
const PROGRESS_ROWS = 1_000;
/** The manifest is still to come. */
const WRITTEN_MAX = 0.99;

/** How far it came is told by keys: counting a large table takes longer than a statement may. */
async function* watched(
  source: AsyncIterable<ExportRow>,
  { fromKey, maxKey }: StoredExportRun,
  before: readonly StoredExportPart[],
  context: JobContext,
): AsyncGenerator<ExportRow> {
  let rows = before.reduce((sum, part) => sum + part.rows, 0);
  for await (const row of source) {
    yield row;
    rows++;
    if (rows % PROGRESS_ROWS !== 0) continue;
    const fraction = Math.min((row.key - fromKey) / (maxKey - fromKey), WRITTEN_MAX);
    context.progress(fraction, `${rows} rows, part ${before.length + 1}`);
  }
}

/** A call that passes by itself is made again so often: one cut connection costs no attempt of the job. */
const PAUSES_MS = [1_000, 5_000];

export async function patiently<T>(
  { clock, context }: Pick<ExportWork, "clock" | "context">,
  call: () => Promise<T>,
): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await call();
    } catch (error) {
      if (isLost(error) || toFault(error).kind !== "transient" || context.signal.aborted)
        throw error;
      context.log.warn("export.call-repeated", { error: toFault(error).code, pause_ms: pauseMs });
      await clock.sleep(pauseMs, context.signal);
    }
  }
  return call();
}

function tooLarge(name: string): Fault {
  return fault.data("EXPORT_TOO_LARGE", `${name} takes more than ${PARTS_MAX} parts`, {
    hint: "export it in several spans of time: since and until",
  });
}
