/**
 * Small files that strangers wrote. Only a regular file is ever opened for reading: a pipe would hold the reader
 * for ever, a device never ends, and a symbolic link leads anywhere.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { ifMissing, unreadable } from "./git-faults.js";

/** A pipe opens at once instead of waiting for a writer, and is then refused; so is a link at the end of the path. */
const PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Null: there is none, or a folder is there. Throws a data fault `GIT_REPOSITORY_UNREADABLE` for what is no regular file, or larger. */
export async function readPlainFile(path: string, bytesMax: number): Promise<Buffer | null> {
  // A device may act on being opened: what is no file is not even opened, unless it was exchanged just now.
  const found = await lstat(path).catch(ifMissing(path, null));
  if (found === null || found.isDirectory()) return null;
  if (!found.isFile()) throw noPlainFile(path);
  const file = await open(path, PLAIN).catch(ifMissing(path, null));
  if (file === null) return null;
  try {
    return await readWhole(file, path, bytesMax);
  } finally {
    await file.close();
  }
}

async function readWhole(file: FileHandle, path: string, bytesMax: number): Promise<Buffer> {
  const { size, isFile } = await file.stat().then((at) => ({ size: at.size, isFile: at.isFile() }));
  if (!isFile) throw noPlainFile(path);
  if (size > bytesMax) throw unreadable(path, `it has ${size} bytes, expected at most ${bytesMax}`);
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function noPlainFile(path: string) {
  return unreadable(path, "it is not a plain file that we may read");
}
