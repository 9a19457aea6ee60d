/**
 * A folder of this machine as the place of exports. While one is written there are `<name>.<upload>.part` with its bytes
 * and `<name>.<upload>.parts`, which lists the parts that are on disk; its own name appears when it is whole, never before.
 */
import { createHash, randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { compositeSha256 } from "../../base/composite-sha256.js";
import { Fault, fault } from "../../base/fault.js";
import type { ExportedPart, ExportTarget } from "../../job/export-port.js";
import { ensureExportsFolder, exportsFolderUnusable } from "./exports-folder.js";

const READ_BYTES = 1_048_576;

type Put = Parameters<ExportTarget["put"]>[1];
type Asked = Parameters<ExportTarget["complete"]>[1];

/** An upload's id is `<name>.<8 random digits>`. Throws transient faults, as a full or missing disk may come back. */
export function createDirectoryExport(folder: string): ExportTarget {
  const guarded = <T>(signal: AbortSignal, work: () => Promise<T>) =>
    onFolder(folder, signal, work);
  return {
    name: folder,
    begin: (name, signal) => guarded(signal, () => begin(folder, name)),
    put: (upload, part, signal) => guarded(signal, () => put(join(folder, upload), part)),
    parts: (upload, signal) => guarded(signal, () => arrived(join(folder, upload))),
    complete: (upload, parts, signal) =>
      guarded(signal, () => complete(folder, upload, parts, signal)),
    abort: (upload, signal) => guarded(signal, () => removeUnfinished(join(folder, upload))),
    writeSmall: (name, text, signal) => guarded(signal, () => writeSmall(folder, name, text)),
  };
}

async function onFolder<T>(
  folder: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault || signal.aborted) throw error;
    throw exportsFolderUnusable(folder, error);
  }
}

async function begin(folder: string, name: string): Promise<string> {
  await ensureExportsFolder(folder);
  // Of its own, so that an attempt that was given up and still lives spoils no other's.
  const upload = `${name}.${randomBytes(4).toString("hex")}`;
  await writeThrough(join(folder, `${upload}.part`), "w", "");
  return upload;
}

/** What lies behind the parts before it was never acknowledged, and goes. */
async function put(file: string, { number, bytes, sha256 }: Put): Promise<{ etag: string }> {
  if (createHash("sha256").update(bytes).digest("hex") !== sha256)
    throw fault.transient("EXPORT_PART_DAMAGED", `part ${number} of ${file} is not what was meant`);
  const before = ((await arrived(file)) ?? []).filter((part) => part.number < number);
  if (before.length !== number - 1) throw gone(file);
  await truncate(`${file}.part`, lengthOf(before));
  await writeThrough(`${file}.part`, "a", bytes);
  // With its length: whoever completes has to know where each part ends, also when the list is gone.
  const etag = `${bytes.length}-${sha256}`;
  await writeIndex(file, [...before, { number, bytes: bytes.length, etag }]);
  return { etag };
}

/** Those that lie whole in the file; null when there is none. */
async function arrived(file: string): Promise<ExportedPart[] | null> {
  const size = await sizeOf(`${file}.part`);
  if (size === null) return null;
  let end = 0;
  return (await readIndex(file)).filter(({ bytes }) => {
    end += bytes;
    return end <= size;
  });
}

/** Every byte is read again before the file gets its name. Done before and the answer was lost: it is read again too. */
async function complete(
  folder: string,
  upload: string,
  asked: Asked,
  signal: AbortSignal,
): Promise<{ checksum: string; sha256: string }> {
  const file = join(folder, upload);
  const whole = file.slice(0, file.lastIndexOf("."));
  const isOpen = (await sizeOf(`${file}.part`)) !== null;
  const path = isOpen ? `${file}.part` : whole;
  const length = asked.reduce((sum, { etag }) => sum + bytesOf(etag), 0);
  const size = (await sizeOf(path)) ?? 0;
  if (isOpen && size > length) await truncate(path, length);
  else if (size !== length) throw gone(file);
  const { damaged, sha256 } = await readParts(path, asked, signal);
  if (damaged !== null && !isOpen) throw gone(file);
  if (damaged !== null) {
    await writeIndex(file, (await readIndex(file)).slice(0, damaged));
    throw fault.transient(
      "EXPORT_PART_DAMAGED",
      `part ${damaged + 1} of ${file} is no longer what was written`,
    );
  }
  await rename(path, whole);
  await syncFolder(folder);
  await rm(`${file}.parts`, { force: true });
  return { checksum: compositeSha256(asked.map((part) => part.sha256)), sha256 };
}

/** `damaged`: how many parts stand before the first that is not what was written; null: none. */
async function readParts(
  path: string,
  parts: Asked,
  signal: AbortSignal,
): Promise<{ damaged: number | null; sha256: string }> {
  const whole = createHash("sha256");
  // One for all: what is read as a stream fills the memory with pieces that wait to be collected.
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const file = await open(path, "r");
  try {
    for (const [before, { etag, sha256 }] of parts.entries()) {
      const part = createHash("sha256");
      for (let left = bytesOf(etag); left > 0; ) {
        signal.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, Math.min(left, READ_BYTES));
        if (bytesRead === 0) return { damaged: before, sha256: "" };
        const piece = buffer.subarray(0, bytesRead);
        part.update(piece);
        whole.update(piece);
        left -= bytesRead;
      }
      if (part.digest("hex") !== sha256) return { damaged: before, sha256: "" };
    }
    return { damaged: null, sha256: whole.digest("hex") };
  } finally {
    await file.close();
  }
}

async function removeUnfinished(file: string): Promise<void> {
  await rm(`${file}.part`, { force: true });
  await rm(`${file}.parts`, { force: true });
}

async function writeSmall(folder: string, name: string, text: string): Promise<void> {
  await ensureExportsFolder(folder);
  const file = join(folder, name);
  await writeThrough(`${file}.part`, "w", text);
  await rename(`${file}.part`, file);
  await syncFolder(folder);
}

/** By a rename, so that it is never half of one. */
async function writeIndex(file: string, parts: readonly ExportedPart[]): Promise<void> {
  await writeThrough(`${file}.parts.part`, "w", JSON.stringify(parts));
  await rename(`${file}.parts.part`, `${file}.parts`);
}

async function readIndex(file: string): Promise<ExportedPart[]> {
  const text = await readFile(`${file}.parts`, "utf8").catch(nothingThere);
  return text === null ? [] : (JSON.parse(text) as ExportedPart[]);
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(nothingThere))?.size ?? null;
}

function nothingThere(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

/** On disk when it returns. */
async function writeThrough(
  path: string,
  flags: "w" | "a",
  data: string | Uint8Array,
): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.appendFile(data);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A new name is on disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const opened = await open(folder, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Of `<bytes>-<sha256>`. */
function bytesOf(etag: string): number {
  return Number.parseInt(etag, 10);
}

function lengthOf(parts: readonly ExportedPart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function gone(file: string): Fault {
  return fault.transient("EXPORT_UPLOAD_GONE", `what was written of ${file} is no longer there`, {
    hint: "the next attempt begins anew; look who else deletes in that folder",
  });
}
