/** The folder of the journal, as files that only their owner may read; each write is on the disk before it is believed. */
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** One file of the folder. */
export interface JournalFileInfo {
  readonly name: string;
  readonly bytes: number;
  /** Of its last change. */
  readonly at: Date;
}

/** A file that this process writes. */
export interface JournalFile {
  /** On the disk when it resolves. */
  append(text: string): Promise<void>;
  /** Takes back what a failed write has left behind `bytes`. */
  cutTo(bytes: number): Promise<void>;
  /** False: somebody has renamed or removed it since it was made. */
  isInPlace(): Promise<boolean>;
  close(): Promise<void>;
}

/** What the journal wants of a disk; tests hand in one that is full or goes away. */
export interface JournalFiles {
  /** Empty where there is no folder yet. */
  list(): Promise<readonly JournalFileInfo[]>;
  read(name: string): Promise<string>;
  /** Makes the folder, too. Throws EEXIST when the name is taken. */
  create(name: string): Promise<JournalFile>;
  /** False: it was not there any more. */
  rename(from: string, to: string): Promise<boolean>;
  remove(name: string): Promise<void>;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export function openJournalFiles(folder: string): JournalFiles {
  const pathOf = (name: string) => join(folder, name);
  return {
    list: () => listFolder(folder),
    read: (name) => readFile(pathOf(name), "utf8"),
    create: async (name) => {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      return createFile(folder, pathOf(name));
    },
    rename: async (from, to) => {
      const wasThere = await unlessMissing(rename(pathOf(from), pathOf(to)).then(() => true));
      if (wasThere) await syncFolder(folder);
      return wasThere ?? false;
    },
    remove: (name) => rm(pathOf(name), { force: true }),
  };
}

async function listFolder(folder: string): Promise<JournalFileInfo[]> {
  const names = (await unlessMissing(readdir(folder))) ?? [];
  const infos = await Promise.all(
    names.map(async (name) => {
      const found = await unlessMissing(stat(join(folder, name)));
      return found?.isFile() ? [{ name, bytes: found.size, at: found.mtime }] : [];
    }),
  );
  return infos.flat();
}

async function createFile(folder: string, path: string): Promise<JournalFile> {
  const handle = await open(path, "wx", FILE_MODE);
  // A name is as durable as its folder.
  await syncFolder(folder);
  const { ino } = await handle.stat();
  return {
    append: async (text) => {
      await handle.writeFile(text);
      await handle.datasync();
    },
    cutTo: async (bytes) => {
      await handle.truncate(bytes);
      await handle.datasync();
    },
    isInPlace: async () => (await unlessMissing(stat(path)))?.ino === ino,
    close: () => handle.close(),
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Where the system cannot sync a folder, its names are as good as they get.
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}

/** Null: there is no such file; another process may have taken it in between. */
async function unlessMissing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
