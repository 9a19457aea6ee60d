/** Asks a runtime which drift is known: emergency settings and temporary changes, with owner and end. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { sendHttp } from "../../adapter/http.js";
import { errorMessage } from "../../base/fault.js";
import {
  type KnownDrift,
  knownFromHealth,
  knownFromTemporary,
} from "../../review/infra/known-drift.js";
import { UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 4 * 1_048_576;

export interface AskedKnown {
  readonly known: readonly KnownDrift[];
  /** Sources that did not say, a sentence each. */
  readonly unasked: readonly string[];
  /** False: there is no address to ask at. */
  readonly wasAsked: boolean;
}

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

/** At `--url`, else at ALGOBRAIN_URL. Without an address nothing is asked, and nothing is known. */
export async function askKnown(place: RuntimePlace, io: CommandIo): Promise<AskedKnown> {
  const runtime = await runtimeAt(place, io);
  if (runtime === null) return { known: [], unasked: [], wasAsked: false };
  const { base, token } = runtime;
  const answers = await Promise.all([
    ask(`${base}/health`, null, knownFromHealth),
    ask(`${base}/api/v1/temporary-changes`, token, (body) => knownFromTemporary(body, place.env)),
  ]);
  return {
    known: answers.flatMap(({ known }) => known),
    unasked: answers.flatMap(({ unasked }) => unasked),
    wasAsked: true,
  };
}

export interface RuntimeAt {
  /** Without a slash at its end. */
  readonly base: string;
  readonly token: string | null;
}

/** Null: there is no address to ask at. */
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

async function ask(
  url: string,
  token: string | null,
  read: (body: unknown) => KnownDrift[] | null,
): Promise<Omit<AskedKnown, "wasAsked">> {
  try {
    const { status, text } = await sendHttp({
      ...{ system: "RUNTIME", method: "GET", url, timeoutMs: TIMEOUT_MS, bytesMax: BYTES_MAX },
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      signal: new AbortController().signal,
    });
    const known = read(parseAnswer(text));
    if (known !== null) return { known, unasked: [] };
    return { known: [], unasked: [`${url} answered ${status} with something else`] };
  } catch (error) {
    return { known: [], unasked: [`${url}: ${errorMessage(error)}`] };
  }
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
