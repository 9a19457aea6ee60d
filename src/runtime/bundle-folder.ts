/**
 * A folder as the place of bundles: `current.json` is the newest, `revisions/<n>.json` all of them. No locks: whoever
 * links the file of a revision first has that revision, and every publisher then brings `current.json` to the highest.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, Fault, fault } from "../base/fault.js";
import { ENVELOPE_BYTES_MAX } from "../policy/envelope.js";
import type { BundleSource, BundleTarget } from "../review/port.js";

const CURRENT = "current.json";
const REVISIONS = "revisions";

export function createBundleFolder(folder: string): BundleSource & BundleTarget {
  return {
    name: folder,
    fetch: (known) => inFaults(folder, () => fetchCurrent(folder, known)),
    put: ({ text, revision }, expect) =>
      inFaults(folder, () => putNext(folder, { text, revision, expect })),
  };
}

/** Whether bundles are published here, or policies are written here. */
export async function isBundleFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(join(folder, CURRENT))).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function fetchCurrent(
  folder: string,
  known: string | null,
): Promise<{ text: string; tag: string } | null> {
  const text = await readBounded(join(folder, CURRENT));
  if (text === null) return null;
  const tag = tagOf(text);
  return tag === known ? null : { text, tag };
}

/** One byte more than may be there, so that the reader sees that it is too large; null when there is no file. */
async function readBounded(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    // Not cleared: only what was read into it is looked at, and this happens every two seconds.
    const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES_MAX + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.toString("utf8", 0, length);
  } finally {
    await file.close();
  }
}

interface Next {
  readonly text: string;
  readonly revision: number;
  readonly expect: string | null;
}

async function putNext(
  folder: string,
  { text, revision, expect }: Next,
): Promise<{ tag: string; version: string | null }> {
  await mkdir(join(folder, REVISIONS), { recursive: true });
  const before = await fetchCurrent(folder, null);
  if ((before?.tag ?? null) !== expect) throw raced(folder, revision);
  const won = await linkOnce(folder, revision, text);
  // Also when lost: the winner may have ended before it could, and then nobody could publish any more.
  await settle(folder);
  if (!won) throw raced(folder, revision);
  return { tag: tagOf(text), version: null };
}

async function linkOnce(folder: string, revision: number, text: string): Promise<boolean> {
  const draft = await writeDraft(folder, text);
  try {
    // Unlike a rename, a link never replaces what is there.
    await link(draft, join(folder, REVISIONS, `${revision}.json`));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft);
  }
}

/** Brings `current.json` to the highest revision, again until none came meanwhile. */
async function settle(folder: string): Promise<void> {
  for (let settled = -1; ; ) {
    const highest = await highestRevision(folder);
    if (highest === settled) return;
    const text = await readBounded(join(folder, REVISIONS, `${highest}.json`));
    if (text === null) return;
    const draft = await writeDraft(folder, text);
    await rename(draft, join(folder, CURRENT));
    settled = highest;
  }
}

async function highestRevision(folder: string): Promise<number> {
  const names = await readdir(join(folder, REVISIONS));
  const revisions = names.map((name) => Number(/^(\d+)\.json$/.exec(name)?.[1] ?? -1));
  return Math.max(-1, ...revisions);
}

async function writeDraft(folder: string, text: string): Promise<string> {
  const draft = join(folder, `.draft-${process.pid}-${randomBytes(4).toString("hex")}`);
  await writeFile(draft, text, { flag: "wx", flush: true });
  return draft;
}

function raced(folder: string, revision: number): Fault {
  return fault.refused(
    "POLICY_PUBLISH_RACED",
    `${folder}: another has published while revision ${revision} was made`,
    { hint: "publish again: the next revision goes on top of it" },
  );
}

function tagOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

async function inFaults<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw fault.transient("BUNDLE_FOLDER_UNUSABLE", `${folder}: ${errorMessage(error)}`, {
      cause: error,
      hint: "the folder of bundles must be there for those who read, and writable for who publishes",
    });
  }
}
