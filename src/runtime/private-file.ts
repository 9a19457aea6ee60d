/** A file in home that only its owner may read: written once, whoever comes first. */
import { randomBytes } from "node:crypto";
import { chmod, link, open, readFile, rm } from "node:fs/promises";
import { ensureHome } from "./home.js";

const MODE = 0o600;

/** What is in it; made by `make` when nobody has made it. `path` is directly inside `home`. */
export async function keepPrivate(home: string, path: string, make: () => string): Promise<string> {
  await ensureHome(home);
  const kept = await readPrivate(path);
  if (kept !== null) return kept;
  await writeOnce(path, make());
  return (await readPrivate(path)) ?? "";
}

async function readPrivate(path: string): Promise<string | null> {
  try {
    const text = await readFile(path, "utf8");
    // A copied or restored file may have lost its mode.
    await chmod(path, MODE);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Two processes may start at once: the first file stays, and both read it. */
async function writeOnce(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const file = await open(draft, "wx", MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // Unlike a rename, a link never replaces what is there.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft);
  }
}
