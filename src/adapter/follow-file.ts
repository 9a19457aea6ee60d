/** A file that another program writes, read as it grows. */
import { open } from "node:fs/promises";

export interface Following {
  /** Reads what is left and answers with all that was read; may be called twice. */
  stop(): Promise<string>;
}

const LOOK_EVERY_MS = 500;
const CHUNK_BYTES = 64 * 1024;
/** Of a program that has lost its mind: nobody reads on. */
const TEXT_MAX = 64 * 1024 * 1024;

/** `onLines`: whole lines, once each. There may be no file yet. */
export function followFile(path: string, onLines: (text: string) => void): Following {
  let text = "";
  let told = 0;
  let offset = 0;
  let looking: Promise<void> = Promise.resolve();
  const decoder = new TextDecoder();
  const look = async () => {
    const read = await readFrom(path, offset);
    offset += read.length;
    if (text.length < TEXT_MAX) text += decoder.decode(read, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    if (end > told) onLines(text.slice(told, end));
    told = Math.max(told, end);
  };
  const again = () => {
    looking = looking.then(look);
    return looking;
  };
  const timer = setInterval(() => void again().catch(() => clearInterval(timer)), LOOK_EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await again();
      return text;
    },
  };
}

/** Everything from there to the end of the file; nothing while there is no file. */
async function readFrom(path: string, offset: number): Promise<Buffer> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (file === null) return Buffer.alloc(0);
  try {
    const chunks: Buffer[] = [];
    for (let at = offset; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}
