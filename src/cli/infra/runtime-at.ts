/** Where the runtime is that a command asks or tells, with whose token, and what its answer is. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";

export interface RuntimePlace {
  readonly url?: string | undefined;
  /** With a viewer's token. */
  readonly "token-file"?: string | undefined;
  readonly env: string;
}

/** Of review and drift. */
export const RUNTIME_OPTIONS = {
  url: { type: "string" },
  "token-file": { type: "string" },
} as const;

export interface RuntimeAt {
  /** Without a slash at its end. */
  readonly base: string;
  readonly token: string | null;
}

/** At `--url`, else at ALGOBRAIN_URL; null: there is no address to ask at. */
export async function runtimeAt(place: RuntimePlace, io: CommandIo): Promise<RuntimeAt | null> {
  // A workflow hands on a variable that is not set as an empty one.
  const url = place.url ?? io.env.ALGOBRAIN_URL ?? "";
  if (url === "") return null;
  return { base: readAddress(url), token: await readToken(place["token-file"], io) };
}

/** Not with a password in it: this goes to the log of a job, and to an issue. */
function readAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new UsageError(
      "--url: expected an address such as https://algobrain.example.com, without a password",
    );
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

async function readToken(file: string | undefined, io: CommandIo): Promise<string | null> {
  return file === undefined ? null : (await readFile(resolve(io.cwd, file), "utf8")).trim();
}

/** What says who asks; nothing for what anybody may. */
export function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** Null: no JSON. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not ours, or not JSON: that is said of both in one sentence.
    return null;
  }
}
