/** Asks a runtime which drift is known: emergency settings and temporary changes, with owner and end. */
import { sendHttp } from "../../adapter/http.js";
import { errorMessage } from "../../base/fault.js";
import {
  type KnownDrift,
  knownFromHealth,
  knownFromTemporary,
} from "../../review/infra/known-drift.js";
import type { CommandIo } from "../command.js";
import { bearer, parseAnswer, type RuntimePlace, runtimeAt } from "./runtime-at.js";

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 4 * 1_048_576;

export interface AskedKnown {
  readonly known: readonly KnownDrift[];
  /** Sources that did not say, a sentence each. */
  readonly unasked: readonly string[];
  /** False: there is no address to ask at. */
  readonly wasAsked: boolean;
}

/** Without an address nothing is asked, and nothing is known. */
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

async function ask(
  url: string,
  token: string | null,
  read: (body: unknown) => KnownDrift[] | null,
): Promise<Omit<AskedKnown, "wasAsked">> {
  try {
    const { status, text } = await sendHttp({
      ...{ system: "RUNTIME", method: "GET", url, timeoutMs: TIMEOUT_MS, bytesMax: BYTES_MAX },
      headers: bearer(token),
      signal: new AbortController().signal,
    });
    const known = read(parseAnswer(text));
    if (known !== null) return { known, unasked: [] };
    return { known: [], unasked: [`${url} answered ${status} with something else`] };
  } catch (error) {
    return { known: [], unasked: [`${url}: ${errorMessage(error)}`] };
  }
}
