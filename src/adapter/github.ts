/**
 * GitHub's REST API through `@octokit/rest`, as a token or as an app: every call with a deadline, a bound on the
 * answer, no redirects but those of a renamed repository where that is asked for, no retries (the guard and the breaker
 * do that) and not a word to the console.
 */
import type { Octokit } from "@octokit/rest";
import type { RequestGate, SeenLimits } from "../base/request-budget.js";
import type { SecretText } from "../base/secret-text.js";
import type { HostBudget } from "../review/port.js";
import { budgetOf, limitsOf, SYSTEM, toGitHubFault, wasAnswered } from "./github-faults.js";
import { nextPage, renamedTo } from "./github-redirect.js";
import { faultOfStatus, type HttpResponse, sendHttp } from "./http.js";

export type GitHubAuth =
  | { readonly kind: "token"; readonly token: string }
  | {
      readonly kind: "app";
      readonly appId: number;
      /** PEM. */
      readonly privateKey: string;
      readonly installationId: number;
    }
  /** Another one each hour, from whoever has the app's key. */
  | { readonly kind: "lent"; readonly token: (signal: AbortSignal) => Promise<SecretText> };

export interface GitHubOptions {
  readonly auth: GitHubAuth;
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string;
  /** Milliseconds that a call may take. */
  readonly timeoutMs?: number;
  /** What each answer says of the limit of requests, where it says it. */
  readonly onBudget?: ((seen: HostBudget) => void) | undefined;
  /** Asked before each request, pages and redirects included. */
  readonly gate?: RequestGate | undefined;
  /** A renamed repository is followed once, by GET, on the same host. Default: it is a fault. */
  readonly followRenamed?: boolean;
}

export interface GitHubRead {
  /** `/orgs/{org}/repos` with its parameters, or the address of a page that `next` named. */
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string | number>>;
  /** Of the answer that is known: the same again costs nothing of the limit (docs.github.com, "Use conditional requests if appropriate"). */
  readonly etag?: string | null;
}

export type GitHubAnswer =
  | {
      readonly kind: "found";
      readonly data: unknown;
      readonly etag: string | null;
      readonly next: string | null;
    }
  | { readonly kind: "unchanged" }
  /** 404, 410 or 451 (taken down for legal reasons). */
  | { readonly kind: "none" };

export interface GitHubClient {
  /** One GET. Throws a Fault; `subject` is what was asked for, for its sentence. */
  read(signal: AbortSignal, subject: string, ask: GitHubRead): Promise<GitHubAnswer>;
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
const NOT_MODIFIED = 304;
const GONE = [404, 410, 451];
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** One client for the life of the process: an app's token lasts an hour and is kept in it. */
export function createGitHubClient(options: GitHubOptions): GitHubClient {
  let opened: Promise<Octokit> | null = null;
  const octokit = () => {
    opened ??= openOctokit(options);
    return opened;
  };
  return {
    read: (signal, subject, ask) => read(octokit, options, { signal, subject, ask }),
    call: async (signal, subject, ask) => {
      try {
        const { data } = await ask(await octokit(), { signal });
        return data;
      } catch (error) {
        throw toGitHubFault(error, subject);
      }
    },
  };
}

async function read(
  octokit: () => Promise<Octokit>,
  { apiUrl }: GitHubOptions,
  reading: { readonly signal: AbortSignal; readonly subject: string; readonly ask: GitHubRead },
): Promise<GitHubAnswer> {
  const { signal, subject, ask } = reading;
  try {
    const { request } = await octokit();
    // Not as the text `GET /…`: that is looked up among the types of a thousand routes, a sixth of a second of each type check.
    const { data, headers } = await request({
      ...ask.parameters,
      ...(ask.etag ? { headers: { "if-none-match": ask.etag } } : {}),
      method: "GET",
      url: ask.path,
      request: { signal },
    });
    const { etag = null, link = null } = headers;
    return { kind: "found", data, etag, next: nextPage(apiUrl, link) };
  } catch (error) {
    if ((error as { status?: unknown }).status === NOT_MODIFIED) return { kind: "unchanged" };
    const found = toGitHubFault(error, subject);
    if (GONE.some((status) => wasAnswered(found, status))) return { kind: "none" };
    throw found;
  }
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
  if (auth.kind === "lent") return {};
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

function fetchWithin(options: GitHubOptions) {
  return async (url: string, asked: Asked): Promise<Response> => {
    const first = await sendOnce(options, url, asked);
    const { method } = asked;
    const renamed = options.followRenamed
      ? renamedTo(options.apiUrl, { method, url }, first)
      : null;
    const answer = renamed === null ? first : await sendOnce(options, renamed, asked);
    const { status, text } = answer;
    // Octokit would take a redirect for an answer.
    const isMoved = status >= 300 && status < 400 && status !== NOT_MODIFIED;
    const moved = isMoved ? faultOfStatus(SYSTEM, answer, "us") : null;
    if (moved) throw moved;
    const content = NO_CONTENT.includes(status) ? null : text;
    return new Response(content, { status, headers: answer.headers });
  };
}

async function sendOnce(options: GitHubOptions, url: string, asked: Asked): Promise<HttpResponse> {
  const { method, body } = asked;
  const { auth, gate, timeoutMs = TIMEOUT_MS } = options;
  const signal = asked.signal ?? new AbortController().signal;
  const headers = { ...asked.headers, ...(await lentHeader(auth, signal)) };
  const tell = await gate?.take(signal);
  let seen: SeenLimits | null = null;
  try {
    const answer = await sendHttp({
      ...{ system: SYSTEM, method, url, headers, timeoutMs, bytesMax: BYTES_MAX, signal },
      ...(typeof body === "string" ? { body } : {}),
    });
    seen = limitsOf(answer);
    const budget = budgetOf(answer.headers);
    if (budget) options.onBudget?.(budget);
    return answer;
  } finally {
    await tell?.(seen);
  }
}

async function lentHeader(auth: GitHubAuth, signal: AbortSignal): Promise<Record<string, string>> {
  if (auth.kind !== "lent") return {};
  const token = await auth.token(signal);
  return { authorization: `token ${token.reveal()}` };
}
