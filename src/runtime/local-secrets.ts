/**
 * Secrets of a machine that runs alone: made once, kept in the home folder, readable by their owner
 * only. Staging and production bring their own (design section 6).
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import type { Config } from "./config.js";
import { keepPrivate } from "./private-file.js";

const FILE = "secrets.json";
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

async function localJwtSecret(home: string): Promise<string> {
  const path = join(home, FILE);
  const content = parse(await keepPrivate(home, path, makeSecrets));
  const secret = isJsonObject(content) ? content.jwtSecret : undefined;
  if (typeof secret !== "string" || secret === "") throw unreadable(path);
  return secret;
}

/** base64url: no newline, no symbol that a URL or a shell would change. */
function makeSecrets(): string {
  const jwtSecret = randomBytes(JWT_SECRET_BYTES).toString("base64url");
  return `${JSON.stringify({ jwtSecret }, null, 2)}\n`;
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
