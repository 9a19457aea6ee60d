/** What GitHub's refusals mean for the caller. Octokit throws; here it becomes a Fault whose kind says what happens next. */
import { errorMessage, Fault, fault } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import type { SeenLimits } from "../base/request-budget.js";
import type { HostBudget } from "../review/port.js";
import { CREDENTIAL_RETRY_MS, faultOfStatus, type HttpResponse } from "./http.js";

export const SYSTEM = "GITHUB";
/** GitHub's advice for a secondary limit that names no time (docs.github.com/rest, "Rate limits for the REST API"). */
const SECONDARY_LIMIT_MS = 60_000;
/** Of GitHub's own words: they may quote what we sent. */
const SAID_MAX = 300;

/** `subject`: what was asked for, e.g. `the pull request`. */
export function toGitHubFault(thrown: unknown, subject: string): Fault {
  if (thrown instanceof Fault) return thrown;
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  // What our own `fetch` threw comes back wrapped.
  if (cause instanceof Fault) return cause;
  const response = responseOf(thrown);
  if (response === null) return signInFault(thrown);
  const found = faultOfAnswer(response, subject);
  return found ?? fault.transient("GITHUB_FAILED", errorMessage(thrown));
}

/** Null for 2xx. */
function faultOfAnswer({ status, headers, said }: ErrorResponse, subject: string): Fault | null {
  if ((status === 403 || status === 429) && /rate limit/i.test(said) && !saysWhen(headers)) {
    return fault.waiting("GITHUB_RATE_LIMITED", "GitHub asked us to slow down", {
      retryAfterMs: SECONDARY_LIMIT_MS,
      asksAll: true,
      details: { status },
    });
  }
  const found = faultOfStatus(SYSTEM, { status, headers }, subject);
  if (found === null) return null;
  return new Fault(found.kind, found.code, `GitHub: ${found.message}${said && `: ${said}`}`, {
    hint: found.hint,
    retryAfterMs: found.retryAfterMs,
    asksAll: found.asksAll,
    details: { ...found.details, said },
  });
}

/** Of any answer; `text` is its body. */
export function limitsOf(answer: HttpResponse): SeenLimits {
  const { status, headers } = answer;
  const refused =
    status < 400 ? null : faultOfAnswer({ status, headers, said: saidIn(answer.text) }, "us");
  const waitMs = refused?.asksAll ? (refused.retryAfterMs ?? SECONDARY_LIMIT_MS) : null;
  return {
    window: windowOf(headers),
    refusal: waitMs === null ? null : { waitMs, isNamed: saysWhen(headers) },
    isWell: waitMs === null && status < 500,
  };
}

/** Of the limit of the REST API alone: search and GraphQL have their own (docs.github.com, "Rate limits for the REST API"). */
export function budgetOf(headers: Headers): HostBudget | null {
  if ((headers.get("x-ratelimit-resource") ?? "core") !== "core") return null;
  const numberOf = (name: string) => Number(headers.get(`x-ratelimit-${name}`) ?? Number.NaN);
  const [limit = 0, remaining = 0, reset = 0] = ["limit", "remaining", "reset"].map(numberOf);
  if (![limit, remaining, reset].every(Number.isSafeInteger)) return null;
  return { limit, remaining, resetAt: new Date(reset * 1_000) };
}

/** By GitHub's clock alone, which ours may be ahead of: both times stand in the answer. */
function windowOf(headers: Headers): SeenLimits["window"] {
  const budget = budgetOf(headers);
  const resetInMs = (budget?.resetAt.getTime() ?? 0) - Date.parse(headers.get("date") ?? "");
  if (budget === null || budget.limit <= 0 || Number.isNaN(resetInMs)) return null;
  return { limit: budget.limit, remaining: Math.max(0, budget.remaining), resetInMs };
}

function saidIn(text: string): string {
  try {
    return wordsOf(JSON.parse(text));
  } catch {
    // A page of a proxy: it says nothing in GitHub's words.
    return "";
  }
}

/** True when GitHub answered with this status, and its words fit. */
export function wasAnswered(thrown: unknown, status: number, said?: RegExp): boolean {
  if (!(thrown instanceof Fault) || thrown.details.status !== status) return false;
  return said === undefined || said.test(String(thrown.details.said ?? ""));
}

function saysWhen(headers: Headers): boolean {
  return headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0";
}

interface ErrorResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly said: string;
}

/** Of octokit's RequestError, by its shape: its class may come twice from two versions of the package. */
function responseOf(thrown: unknown): ErrorResponse | null {
  const { status, response } = (thrown ?? {}) as { status?: unknown; response?: unknown };
  if (typeof status !== "number" || typeof response !== "object" || response === null) return null;
  const { headers, data } = response as { headers?: Record<string, string>; data?: unknown };
  return { status, headers: headersOf(headers ?? {}), said: wordsOf(data) };
}

function headersOf(headers: Readonly<Record<string, string>>): Headers {
  return new Headers(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** `Validation Failed; A pull request already exists for acme:branch.` */
function wordsOf(data: unknown): string {
  if (!isJsonObject(data)) return "";
  const errors = Array.isArray(data.errors) ? data.errors : [];
  const more = errors.map((error) => (isJsonObject(error) ? error.message : error));
  const texts = [data.message, ...more].filter((text) => typeof text === "string");
  return texts.join("; ").replace(/\s+/g, " ").slice(0, SAID_MAX);
}

/** There was no request at all: the key of the app cannot sign. */
function signInFault(thrown: unknown): Fault {
  return fault.waiting("GITHUB_UNAUTHORIZED", "cannot sign in to GitHub as the app", {
    cause: thrown,
    hint: "set GITHUB_APP_PRIVATE_KEY to the PEM that GitHub gave, with its line breaks or with \\n for each",
    retryAfterMs: CREDENTIAL_RETRY_MS,
  });
}
