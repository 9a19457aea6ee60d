/**
 * GitHub's REST API through `@octokit/rest`, as a token or as an app: every call with a deadline, a bound on the
 * answer, no redirects, no retries (the guard and the breaker do that) and not a word to the console.
 */
import type { Octokit } from "@octokit/rest";
import type { HostBudget } from "../review/port.js";
import { SYSTEM, toGitHubFault } from "./github-faults.js";
import { faultOfStatus, sendHttp } from "./http.js";

export type GitHubAuth =
  | { readonly kind: "token"; readonly token: string }
  | {
      readonly kind: "app";
      readonly appId: number;
      /** PEM. */
      readonly privateKey: string;
      readonly installationId: number;
    };

export interface GitHubOptions {
  readonly auth: GitHubAuth;
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string;
  /** Milliseconds that a call may take. */
  readonly timeoutMs?: number;
  /** What each answer says of the limit of requests, where it says it. */
  readonly onBudget?: ((seen: HostBudget) => void) | undefined;
}

export interface GitHubClient {
  /** The answer's data. Throws a Fault; `subject` is what was asked for, for its sentence. */
  call<T>(
    signal: AbortSignal,
    subject: string,
    ask: (octokit: Octokit, request: { signal: AbortSignal }) => Promise<{ data: T }>,
  ): Promise<T>;
}

const TIMEOUT_MS = 10_000;
/** A page of the longest comments there can be; a file of policies is a thirtieth of it. */
const BYTES_MAX = 8 * 1_048_576;
const NO_CONTENT = [204, 205, 304];
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** One client for the life of the process: an app's token lasts an hour and is kept in it. */
export function createGitHubClient(options: GitHubOptions): GitHubClient {
  let octokit: Promise<Octokit> | null = null;
  return {
    call: async (signal, subject, ask) => {
      try {
        octokit ??= openOctokit(options);
        const { data } = await ask(await octokit, { signal });
        return data;
      } catch (error) {
        throw toGitHubFault(error, subject);
      }
    },
  };
}

/** Loaded when GitHub is first spoken to: most processes never do. */
async function openOctokit(options: GitHubOptions): Promise<Octokit> {
  const { Octokit } = await import("@octokit/rest");
  return new Octokit({
    ...(await signIn(options.auth)),
    baseUrl: options.apiUrl,
    userAgent: "algobrain-control-plane",
    log: SILENT,
    request: { fetch: fetchWithin(options), log: SILENT },
  });
}

async function signIn(auth: GitHubAuth) {
  if (auth.kind === "token") return { auth: auth.token };
  const { createAppAuth } = await import("@octokit/auth-app");
  const { appId, privateKey, installationId } = auth;
  return { authStrategy: createAppAuth, auth: { appId, privateKey, installationId } };
}

interface Asked {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | null;
  /** None when it is the app's token that is fetched: others may wait for the same one. */
  readonly signal?: AbortSignal | null;
}

function fetchWithin({ timeoutMs = TIMEOUT_MS, onBudget }: GitHubOptions) {
  return async (url: string, { method, headers, body, signal }: Asked): Promise<Response> => {
    const answer = await sendHttp({
      ...{ system: SYSTEM, method, url, headers, timeoutMs, bytesMax: BYTES_MAX },
      ...(typeof body === "string" ? { body } : {}),
      signal: signal ?? new AbortController().signal,
    });
    const { status, text } = answer;
    const budget = budgetOf(answer.headers);
    if (budget) onBudget?.(budget);
    // Octokit would take a redirect for an answer.
    const moved = status >= 300 && status < 400 ? faultOfStatus(SYSTEM, answer, "us") : null;
    if (moved) throw moved;
    const content = NO_CONTENT.includes(status) ? null : text;
    return new Response(content, { status, headers: answer.headers });
  };
}

/** Of the limit of the REST API alone: search and GraphQL have their own (docs.github.com, "Rate limits for the REST API"). */
function budgetOf(headers: Headers): HostBudget | null {
  const numberOf = (name: string) => Number(headers.get(`x-ratelimit-${name}`) ?? Number.NaN);
  const [limit, remaining, reset] = ["limit", "remaining", "reset"].map(numberOf) as [
    number,
    number,
    number,
  ];
  if ((headers.get("x-ratelimit-resource") ?? "core") !== "core") return null;
  if (![limit, remaining, reset].every(Number.isSafeInteger)) return null;
  return { limit, remaining, resetAt: new Date(reset * 1_000) };
}
