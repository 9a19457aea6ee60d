/**
 * export: all rows of an entity as compressed lines of JSON (`<entity>-<job>.ndjson.gz`), as of one moment.
 * The file appears under its name when it is whole and on disk, never before; a retry replaces it.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { JsonObject } from "../../base/json.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { estimateRows, streamRows } from "../../store/export-rows.js";
import { ensureExportsFolder } from "./exports-folder.js";
import type { ExportPayload } from "./system-kinds.js";

/** As many as the cursor brings at once. */
const PROGRESS_ROWS = 1_000;
/** More than the estimate is still not all. */
const ESTIMATED_MAX = 0.99;

export interface ExportDeps {
  readonly db: Database;
  /** Made when missing. */
  readonly exportsDir: string;
}

export function createExportHandler(deps: ExportDeps): JobHandler {
  return {
    kind: "export",
    run: async (context): Promise<JsonObject> => {
      const { job, signal } = context;
      const { entity } = job.payload as ExportPayload;
      const file = join(deps.exportsDir, `${entity}-${job.id}.ndjson.gz`);
      await ensureExportsFolder(deps.exportsDir);
      const total = await estimateRows(deps.db, entity);
      const written = await deps.db.connect((session) =>
        writeWhole(file, watched(streamRows(session, entity), total, context), signal),
      );
      return { entity, file, ...written };
    },
  };
}

/** `total` is an estimate: 0 when there is none, and there may be more rows than it says. */
async function* watched(lines: AsyncIterable<string>, total: number, { progress }: JobContext) {
  let rows = 0;
  for await (const line of lines) {
    yield line;
    rows++;
    if (rows % PROGRESS_ROWS !== 0) continue;
    const fraction = total === 0 ? 0 : Math.min(rows / total, ESTIMATED_MAX);
    progress(fraction, `${rows} ${total > rows ? `of about ${total} ` : ""}rows`);
  }
}

interface Written {
  readonly rows: number;
  readonly bytes: number;
  /** Of the compressed file. */
  readonly sha256: string;
}

async function writeWhole(
  file: string,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<Written> {
  const part = `${file}.part`;
  try {
    const written = await writePart(part, lines, signal);
    await rename(part, file);
    return written;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function writePart(
  part: string,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<Written> {
  const hash = createHash("sha256");
  let rows = 0;
  let bytes = 0;
  const counted = async function* () {
    for await (const line of lines) {
      rows++;
      yield `${line}\n`;
    }
  };
  const digested = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const target = createWriteStream(part, { mode: 0o600, flush: true });
  await pipeline(Readable.from(counted()), createGzip(), digested, target, { signal });
  return { rows, bytes, sha256: hash.digest("hex") };
}
