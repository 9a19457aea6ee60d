/**
 * Secrets of a machine that runs alone: made once, kept in the home folder, readable by their owner
 * only. Staging and production bring their own (design section 6).
 */
import { randomBytes } from "node:crypto";
import { chmod, link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import type { Config } from "./config.js";
import { ensureHome } from "./home.js";

const FILE = "secrets.json";
const MODE = 0o600;
const JWT_SECRET_BYTES = 48;

/** The config with every secret it needs; in local, what was not given is read from home or made there. */
export async function withLocalSecrets(config: Config): Promise<Config> {
  if (config.auth.jwtSecrets !== null) return config;
  const secret = await localJwtSecret(config.home);
  return Object.freeze({
    ...config,
    auth: Object.freeze({ jwtSecrets: Object.freeze([secret]) }),
    secrets: Object.freeze([...config.secrets, secret]),
  });
}

/** base64url: no newline, no symbol that a URL or a shell would change. */
async function localJwtSecret(home: string): Promise<string> {
  const path = join(home, FILE);
  await ensureHome(home);
  const kept = await readSecret(path);
  if (kept !== null) return kept;
  await writeOnce(path, { jwtSecret: randomBytes(JWT_SECRET_BYTES).toString("base64url") });
  const made = await readSecret(path);
  if (made === null) throw unreadable(path);
  return made;
}

/** Two processes may start at once: the first file stays, and both read it. */
async function writeOnce(path: string, content: object): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const file = await open(draft, "wx", MODE);
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
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

async function readSecret(path: string): Promise<string | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  // A copied or restored file may have lost its mode.
  await chmod(path, MODE);
  const content = parse(text);
  const secret = isJsonObject(content) ? content.jwtSecret : undefined;
  if (typeof secret !== "string" || secret === "") throw unreadable(path);
  return secret;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreadable(path: string): Error {
  return fault.refused("LOCAL_SECRETS_UNREADABLE", `${path} holds no "jwtSecret"`, {
    hint: "remove the file and start again: tokens that were signed with it end with it",
  });
}
