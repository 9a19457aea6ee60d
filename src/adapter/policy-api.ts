/** A running service as the place of bundles: it believes what is signed, and takes nothing that is not newer. */
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { BundleSource, BundleTarget } from "../review/port.js";
import { faultOfStatus, type HttpResponse, sendHttp } from "./http.js";

export interface PolicyApiOptions {
  /** Without a slash at its end. */
  readonly url: string;
  /** An admin's. */
  readonly token: string;
  /** Of an envelope. */
  readonly bytesMax: number;
  readonly timeoutMs?: number;
}

const SYSTEM = "POLICY_API";
const TIMEOUT_MS = 10_000;
/** What stands around the envelope in an answer. */
const ANSWER_MARGIN_BYTES = 65_536;

export function createPolicyApi(options: PolicyApiOptions): BundleSource & BundleTarget {
  return {
    name: options.url,
    fetch: (known, signal) => fetchNewest(options, known, signal),
    put: ({ text, revision }, _, signal) => putNext(options, { text, revision }, signal),
  };
}

/** The tag of a bundle is its revision: the service never has two of one number. */
async function fetchNewest(
  options: PolicyApiOptions,
  known: string | null,
  signal: AbortSignal,
): Promise<{ text: string; tag: string } | null> {
  const { published } = await get(options, "/api/v1/policy", signal);
  if (!isJsonObject(published)) return null;
  const tag = String(published.revision);
  if (tag === known) return null;
  const { envelope } = await get(options, `/api/v1/policy/bundles/${tag}`, signal);
  return { text: JSON.stringify(envelope), tag };
}

async function get(
  options: PolicyApiOptions,
  path: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const response = await call(options, { method: "GET", path }, signal);
  const refused = faultOfStatus(SYSTEM, response, path);
  if (refused) throw refused;
  const answer = parse(response.text);
  if (answer) return answer;
  throw fault.data("POLICY_API_ANSWER_INVALID", `${options.url}${path} answered no JSON object`, {
    hint: "is this the address of the service itself?",
  });
}

async function putNext(
  options: PolicyApiOptions,
  { text, revision }: { readonly text: string; readonly revision: number },
  signal: AbortSignal,
): Promise<{ tag: string; version: string | null }> {
  const path = "/api/v1/policy/bundles";
  const response = await call(options, { method: "POST", path, body: text }, signal);
  const detail = String(parse(response.text)?.detail ?? "");
  if (response.status === 409) {
    throw fault.refused("POLICY_PUBLISH_RACED", `${options.url}: ${detail}`, {
      hint: "publish again: the next revision goes on top of the newest",
    });
  }
  if (response.status === 422) {
    throw fault.refused("POLICY_PUBLISH_REFUSED", `${options.url} refuses it: ${detail}`, {
      hint: "is the key that signs pinned there (POLICY_PUBLIC_KEY), and is this its environment?",
    });
  }
  const refused = faultOfStatus(SYSTEM, response, `revision ${revision}`);
  if (refused) throw refused;
  return { tag: String(revision), version: null };
}

function call(
  options: PolicyApiOptions,
  request: { readonly method: "GET" | "POST"; readonly path: string; readonly body?: string },
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { method, path, body } = request;
  return sendHttp({
    ...{ system: SYSTEM, method, url: `${options.url}${path}`, signal },
    headers: { authorization: `Bearer ${options.token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body }),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    bytesMax: options.bytesMax + ANSWER_MARGIN_BYTES,
  });
}

/** Null for anything but a JSON object. */
function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    // Not ours, or not JSON: the status says enough.
    return null;
  }
}
