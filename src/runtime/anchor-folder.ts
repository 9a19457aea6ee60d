/** A folder as the place of anchors: files that are made once and that nobody may write to, their owner included. */
import { mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AnchorPlace } from "../runbook/port.js";

const MODE = 0o400;

/** `folder` is absolute; it is made at the first anchor. */
export function createAnchorFolder(folder: string): AnchorPlace {
  return {
    place: `file:${folder}`,
    put: async (name, text) => {
      await mkdir(folder, { recursive: true });
      return putFile(join(folder, name), text);
    },
    list: () => listFolder(folder),
  };
}

async function putFile(path: string, text: string): Promise<"stored" | "exists"> {
  try {
    const file = await open(path, "wx", MODE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return "stored";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return "exists";
    throw error;
  }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    // Nothing was anchored yet.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
