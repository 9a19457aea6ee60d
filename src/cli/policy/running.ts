/** Asks a runtime what holds in it against the policies. Whoever reviews a change wants to know; nothing fails for it. */
import { sendHttp } from "../../adapter/http.js";
import { errorMessage } from "../../base/fault.js";
import { type InForce, readHeldValues } from "../../review/drift-report.js";
import { UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 1_048_576;

/** Null: nobody said where one is. @param typed of `--running`; else ALGOBRAIN_URL says it */
export async function askRunning(
  typed: string | undefined,
  { env }: Pick<CommandIo, "env">,
): Promise<InForce | null> {
  if (typed !== undefined) {
    const url = readAddress(typed);
    if (url === null)
      throw new UsageError(`--running: found ${shown(typed)}, expected ${EXPECTED}`);
    return ask(url);
  }
  // A workflow hands on a variable that is not set as an empty one.
  const said = env.ALGOBRAIN_URL;
  if (said === undefined || said === "") return null;
  const url = readAddress(said);
  const wrong = { address: "ALGOBRAIN_URL", unknown: `it is not ${EXPECTED}` };
  return url === null ? wrong : ask(url);
}

const EXPECTED = "an address such as https://algobrain.example.com, without a password";

/** Not with a password in it: this goes to the log of a job. */
function shown(text: string): string {
  return text.includes("@") ? "an address with a name in it" : `"${text}"`;
}

function readAddress(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) return null;
  if (url.username !== "" || url.password !== "") return null;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

async function ask(address: string): Promise<InForce> {
  try {
    const { status, text } = await sendHttp({
      ...{ system: "RUNTIME", method: "GET", url: `${address}/health` },
      ...{ timeoutMs: TIMEOUT_MS, bytesMax: BYTES_MAX, signal: new AbortController().signal },
    });
    const held = readHeldValues(parse(text));
    if (held !== null) return { address, held };
    return { address, unknown: `it answered ${status} with something else than its health` };
  } catch (error) {
    return { address, unknown: errorMessage(error) };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not ours, or not JSON: that is said of both in one sentence.
    return null;
  }
}
