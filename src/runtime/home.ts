/** ALGOBRAIN_HOME: what this machine keeps. It must be a folder that can be written to, or nothing starts. */
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, fault } from "../base/fault.js";

/** A file of no bytes can be made on a full disk; one of this size cannot. */
const PROBE_BYTES = 65_536;

const WHY: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "its file system is read-only",
  ENOTDIR: "it is not a folder",
  EEXIST: "it is not a folder",
  ENOSPC: "its disk is full",
  EDQUOT: "the quota of this user is used up",
};

/** Makes the folder when it is missing. Throws a refused Fault `HOME_UNUSABLE` that says why in words. */
export async function ensureHome(home: string): Promise<void> {
  const probe = join(home, `.probe-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(home, { recursive: true });
    try {
      await writeFile(probe, Buffer.alloc(PROBE_BYTES));
    } finally {
      await rm(probe, { force: true });
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const why = WHY[code] ? `${WHY[code]} (${code})` : errorMessage(error);
    throw fault.refused("HOME_UNUSABLE", `ALGOBRAIN_HOME: found ${home}, but ${why}`, {
      hint: "set ALGOBRAIN_HOME to a folder that this user may write to, with some 100 MB free",
    });
  }
}
