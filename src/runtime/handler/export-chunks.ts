/**
 * Rows as one member of a gzip file. A gzip file is a series of members (RFC 1952, 2.2), so that members may be made at
 * different times by different processes and are simply laid one after the other. Where a member ends depends on its
 * rows alone: who makes it again makes the same bytes.
 */
import type { TransformOptions } from "node:stream";
import { createGzip, type Gzip, type ZlibOptions } from "node:zlib";
import type { ExportRow } from "../../store/export-rows.js";

/** Text is compressed by so many letters at a time; a member may only end between two blocks. */
const BLOCK_LENGTH = 65_536;
/** `highWaterMark` (stream.TransformOptions) above all that may come out for one block: nothing waits for a reader. */
const GZIP: ZlibOptions & TransformOptions = { highWaterMark: 4 * 1_048_576 };

export interface Chunk {
  /** Zero only where there were none at all. */
  readonly rows: number;
  /** Key of the last row; null without rows. */
  readonly lastKey: number | null;
  readonly bytes: Buffer;
}

export interface ChunkOptions {
  /** Compressed bytes after which it ends. */
  readonly chunkBytes: number;
  /** Before the first row; empty for none. */
  readonly heading: string;
  /** A row as it stands in the file, with its line's end. */
  readonly write: (line: string) => string;
  readonly signal: AbortSignal;
}

/** Takes rows until the chunk is full, or there are no more. Throws when the signal is aborted. */
export async function makeChunk(
  source: AsyncIterable<ExportRow>,
  { chunkBytes, heading, write, signal }: ChunkOptions,
): Promise<Chunk> {
  const member = new GzipMember();
  let block = heading;
  let rows = 0;
  let lastKey: number | null = null;
  for await (const { key, line } of source) {
    block += write(line);
    rows++;
    lastKey = key;
    if (block.length < BLOCK_LENGTH) continue;
    signal.throwIfAborted();
    await member.write(block);
    block = "";
    if (member.bytes >= chunkBytes) break;
  }
  signal.throwIfAborted();
  return { rows, lastKey, bytes: await member.end(block) };
}

class GzipMember {
  readonly #gzip: Gzip = createGzip(GZIP);
  readonly #pieces: Buffer[] = [];
  /** Compressed so far. */
  bytes = 0;

  /** What has come out when it returns depends on what was written, not on time. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#gzip.write(text, (error) => (error ? reject(error) : resolve()));
    });
    for (let piece = this.#gzip.read(); piece !== null; piece = this.#gzip.read())
      this.#take(piece);
  }

  async end(text: string): Promise<Buffer> {
    this.#gzip.end(text);
    for await (const piece of this.#gzip as AsyncIterable<Buffer>) this.#take(piece);
    return Buffer.concat(this.#pieces, this.bytes);
  }

  #take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.bytes += piece.length;
  }
}
