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

const SLACK_BYTES = 1_048_576;

export interface Chunk {
  /** Zero only where there were none at all. */
  readonly rows: number;
  /** Key of the last row; null without rows. */
  readonly lastKey: number | null;
  /** Valid until the room is used again. */
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
  room: ChunkRoom,
  { chunkBytes, heading, write, signal }: ChunkOptions,
): Promise<Chunk> {
  const member = new GzipMember(room);
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
    if (room.length >= chunkBytes) break;
  }
  signal.throwIfAborted();
  await member.end(block);
  return { rows, lastKey, bytes: room.bytes() };
}

/** Where the bytes of a chunk lie: the next one takes the same place, so that what was sent needs no memory. */
export class ChunkRoom {
  #buffer: Buffer;
  length = 0;

  /** @param chunkBytes where chunks are cut; they are a little longer */
  constructor(chunkBytes: number) {
    // What nobody has written to takes no memory.
    this.#buffer = Buffer.allocUnsafeSlow(chunkBytes + SLACK_BYTES);
  }

  clear(): void {
    this.length = 0;
  }

  add(piece: Buffer): void {
    const end = this.length + piece.length;
    if (end > this.#buffer.length) this.#grow(end);
    piece.copy(this.#buffer, this.length);
    this.length = end;
  }

  /** Until it is cleared. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #grow(least: number): void {
    const larger = Buffer.allocUnsafe(Math.max(least, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}

class GzipMember {
  readonly #gzip: Gzip = createGzip(GZIP);
  readonly #room: ChunkRoom;

  constructor(room: ChunkRoom) {
    this.#room = room;
    room.clear();
  }

  /** What has come out when it returns depends on what was written, not on time. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#gzip.write(text, (error) => (error ? reject(error) : resolve()));
    });
    for (let piece = this.#gzip.read(); piece !== null; piece = this.#gzip.read())
      this.#room.add(piece as Buffer);
  }

  async end(text: string): Promise<void> {
    this.#gzip.end(text);
    for await (const piece of this.#gzip as AsyncIterable<Buffer>) this.#room.add(piece);
  }
}
