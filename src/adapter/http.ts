/**
 * One HTTP call to a foreign system: with a deadline, a bound on the answer, no redirects (they would carry
 * our credentials elsewhere), and failures named by what to do about them.
 */
import { Fault, fault } from "../base/fault.js";

export interface HttpRequest {
  /** Prefix of fault codes, e.g. `PAGERDUTY` → `PAGERDUTY_UNREACHABLE`. */
  readonly system: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds for the whole call, body included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Bytes of the answer that are read; a longer one is a fault. Default 1 MiB. */
  readonly bytesMax?: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const BYTES_MAX = 1_048_576;

/** Any status is an answer: see `faultOfStatus`. Throws a transient Fault when there is none. */
export async function sendHttp(request: HttpRequest): Promise<HttpResponse> {
  const { system, timeoutMs, signal } = request;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { ...request.headers },
      body: request.body ?? null,
      redirect: "manual",
      signal: AbortSignal.any([signal, deadline]),
    });
    const text = await readWithin(response, system, request.bytesMax ?? BYTES_MAX);
    return { status: response.status, headers: response.headers, text };
  } catch (error) {
    throw faultOfFailure({ system, timeoutMs, signal, deadline, error });
  }
}

async function readWithin(response: Response, system: string, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream, so an endless answer is not read to its end.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      throw fault.data(`${system}_ANSWER_TOO_LARGE`, `answer is larger than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Why there was no answer. The request may have been carried out all the same: callers repeat with a stable key. */
export function faultOfFailure(failure: {
  readonly system: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
  readonly error: unknown;
}): Fault {
  const { system, timeoutMs, signal, deadline, error } = failure;
  if (error instanceof Fault) return error;
  if (signal.aborted) {
    return fault.transient(
      `${system}_ABORTED`,
      "the call was given up because its caller was stopped",
      {
        cause: error,
      },
    );
  }
  if (deadline.aborted) {
    return fault.transient(`${system}_TIMED_OUT`, `no answer within ${timeoutMs} ms`, {
      cause: error,
    });
  }
  return fault.transient(`${system}_UNREACHABLE`, `cannot reach it: ${reasonOf(error)}`, {
    cause: error,
    hint: "check the address, the network, and whether the other side is up",
  });
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (typeof code === "string") return code;
  return cause instanceof Error ? cause.message : String(cause);
}

/** Null for 2xx. `subject` says what was asked, e.g. `the event`. */
export function faultOfStatus(
  system: string,
  response: Pick<HttpResponse, "status" | "headers">,
  subject: string,
): Fault | null {
  const { status } = response;
  if (status >= 200 && status < 300) return null;
  const details = { status };
  const retryAfterMs = retryAfterMsOf(status, response.headers);
  const asksAll = retryAfterMs !== undefined;
  // GitHub says so with 403, for its primary limit and for its secondary ones.
  if (status === 429 || (status === 403 && asksAll)) {
    return fault.waiting(`${system}_RATE_LIMITED`, "it asked us to slow down", {
      retryAfterMs: retryAfterMs ?? RATE_LIMIT_DEFAULT_MS,
      asksAll: true,
      details,
    });
  }
  if (status === 401 || status === 403) {
    // Waiting, not dead: what is refused today is delivered once a person has renewed the credential.
    return fault.waiting(`${system}_UNAUTHORIZED`, `it refused our credentials (${status})`, {
      retryAfterMs: CREDENTIAL_RETRY_MS,
      hint: "renew the token or key, and check its scopes",
      details,
    });
  }
  if (status >= 500 || status === 408) {
    const options = { retryAfterMs, asksAll, details };
    return fault.transient(`${system}_FAILED`, `it answered ${status}`, options);
  }
  if (status >= 300 && status < 400) {
    return fault.data(`${system}_REDIRECTED`, `it wants to send ${subject} elsewhere (${status})`, {
      hint: "set the final address: redirects are not followed, they would carry our credentials along",
      details,
    });
  }
  return fault.data(`${system}_REFUSED`, `it refused ${subject} (${status})`, { details });
}

/** How often a refused credential is tried again. */
export const CREDENTIAL_RETRY_MS = 60_000;
/** When a 429 names no time. */
export const RATE_LIMIT_DEFAULT_MS = 30_000;

/** By Retry-After, else by the reset of a limit that is used up; undefined when no time is named. */
function retryAfterMsOf(status: number, headers: Headers): number | undefined {
  const asked = headers.get("retry-after");
  const answeredAt = Date.parse(headers.get("date") ?? "");
  if (asked !== null) return secondsOf(asked) ?? orUndefined(Date.parse(asked) - answeredAt);
  // PagerDuty's in seconds and GitHub's as a time stand in every answer, also where nothing is used up.
  const reset = headers.get("ratelimit-reset");
  if (reset !== null && (status === 429 || headers.get("ratelimit-remaining") === "0")) {
    return secondsOf(reset);
  }
  if (headers.get("x-ratelimit-remaining") !== "0") return undefined;
  return orUndefined(
    (secondsOf(headers.get("x-ratelimit-reset") ?? "") ?? Number.NaN) - answeredAt,
  );
}

/** Milliseconds of a number of seconds. */
function secondsOf(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) * 1_000 : undefined;
}

function orUndefined(waitMs: number): number | undefined {
  return Number.isFinite(waitMs) ? Math.max(waitMs, 0) : undefined;
}
