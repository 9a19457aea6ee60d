/** Runs of a running service, asked for and followed over its API: for whoever has no way to its database. */
import { fault } from "../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { faultOfStatus, sendHttp } from "./http.js";

const SYSTEM = "RUN_API";
const TIMEOUT_MS = 15_000;
const DETAIL_MAX = 1_000;

export interface RunApiOptions {
  /** Without a slash at its end. */
  readonly url: string;
  /** An operator's. */
  readonly token: string;
  readonly timeoutMs?: number;
}

export interface RunWish {
  readonly runbook: string;
  readonly params: JsonObject;
  readonly reason: string;
  /** The same key asked for twice is one run. */
  readonly key: string;
}

export interface SeenRun {
  readonly id: string;
  readonly status: string;
  readonly outcome: string | null;
  /** `approval`: people must agree first. */
  readonly waitingFor: string | null;
  /** In their order; `name: status`. */
  readonly steps: readonly string[];
}

export interface RunApi {
  start(wish: RunWish, signal: AbortSignal): Promise<SeenRun>;
  read(id: string, signal: AbortSignal): Promise<SeenRun>;
}

/** Throws a Fault of the status: 4xx refused, 5xx and no answer transient. */
export function createRunApi(options: RunApiOptions): RunApi {
  return {
    start: async ({ key, ...wish }, signal) => {
      const headers = { "content-type": "application/json", "idempotency-key": key };
      return call(options, { method: "POST", path: "/api/v1/runs", headers, body: wish }, signal);
    },
    read: (id, signal) =>
      call(options, { method: "GET", path: `/api/v1/runs/${encodeURIComponent(id)}` }, signal),
  };
}

interface ApiCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

async function call(
  { url, token, timeoutMs = TIMEOUT_MS }: RunApiOptions,
  { method, path, headers, body }: ApiCall,
  signal: AbortSignal,
): Promise<SeenRun> {
  const response = await sendHttp({
    ...{ system: SYSTEM, method, url: `${url}${path}`, timeoutMs, signal },
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = parse(response.text);
  const refused = faultOfStatus(SYSTEM, response, path);
  // What it says against the wish helps more than its number; of credentials it says nothing.
  const detail = isJsonObject(answer) && typeof answer.detail === "string" ? answer.detail : null;
  if (refused?.kind === "data" && detail !== null)
    throw fault.refused("RUN_API_REFUSED", `${url} refuses it: ${detail.slice(0, DETAIL_MAX)}`);
  if (refused) throw refused;
  const seen = readSeen(answer);
  if (seen) return seen;
  throw fault.data("RUN_API_ANSWER_INVALID", `${url}${path} answered no run`, {
    hint: "is this the address of the service itself?",
  });
}

function parse(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    // A page of a proxy, say: then it is no run either.
    return null;
  }
}

function readSeen(answer: Json): SeenRun | null {
  if (!isJsonObject(answer)) return null;
  const { id, status, outcome, waiting_for, steps } = answer;
  if (typeof id !== "string" || typeof status !== "string") return null;
  const named = Array.isArray(steps) ? steps.filter((step) => isJsonObject(step)) : [];
  return {
    ...{ id, status },
    outcome: typeof outcome === "string" ? outcome : null,
    waitingFor: typeof waiting_for === "string" ? waiting_for : null,
    steps: named.map((step) => `${String(step.name)}: ${String(step.status)}`),
  };
}
