/**
 * Repositories and what happened in them, from GitHub's REST API (docs.github.com/rest): one request a page and one at a
 * time, as GitHub asks of programs, conditional where an earlier answer is known (HB-wrk-02).
 */
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { RequestGate } from "../base/request-budget.js";
import { SecretText } from "../base/secret-text.js";
import type { SourceHost, SourcePage, SourceRepo } from "../job/source-port.js";
import { createGitHubClient, type GitHubAuth, type GitHubClient } from "./github.js";
import { createDeliveryLog } from "./github-deliveries.js";
import { wasAnswered } from "./github-faults.js";
import { pageWithin } from "./github-redirect.js";
import { checkName, checkOwner, hostOf, invalid, readRepo } from "./github-repo.js";

export interface GitHubSourceOptions {
  readonly auth: GitHubAuth;
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string;
  readonly gate: RequestGate;
  /** Milliseconds that one request may take; 10 s by default, which is below the life of a permit. */
  readonly timeoutMs?: number;
}

const PAGE = { per_page: 100 };

export function createGitHubSource(options: GitHubSourceOptions): SourceHost {
  const apiUrl = options.apiUrl.replace(/\/+$/, "");
  const client = createGitHubClient({ ...options, apiUrl, followRenamed: true });
  return {
    host: hostOf(apiUrl),
    listRepos: (owner, ask, signal) => listRepos({ client, apiUrl, signal }, owner, ask),
    repo: (of, signal) => oneRepo({ client, apiUrl, signal }, of),
    ...createDeliveryLog(client, apiUrl),
    pulls: (repo, ask, signal) =>
      items({ client, apiUrl, signal }, "pulls", repo, ask.page, {
        ...{ state: "all", sort: "updated", direction: "desc" },
      }),
    releases: (repo, ask, signal) =>
      items({ client, apiUrl, signal }, "releases", repo, ask.page, {}),
    gitCredential: (signal) => gitCredential(options.auth, signal),
  };
}

interface Asking {
  readonly client: GitHubClient;
  readonly apiUrl: string;
  readonly signal: AbortSignal;
}

async function listRepos(
  asking: Asking,
  owner: string,
  { page, etag }: { readonly page: string | null; readonly etag: string | null },
): Promise<SourcePage | "unchanged"> {
  const { client, apiUrl, signal } = asking;
  const read = (path: string, parameters: Record<string, string | number> = {}) =>
    client.read(signal, `the repositories of ${owner}`, { path, parameters, etag });
  const sorted = { sort: "full_name", direction: "asc", ...PAGE };
  let answer =
    page === null
      ? await read("/orgs/{org}/repos", { org: checkOwner(owner), type: "all", ...sorted })
      : await read(pageWithin(apiUrl, page));
  // A person's repositories are listed elsewhere.
  if (answer.kind === "none" && page === null)
    answer = await read("/users/{owner}/repos", { owner, type: "owner", ...sorted });
  if (answer.kind === "unchanged") return "unchanged";
  if (answer.kind === "none") throw unknownOwner(owner, page);
  const found = arrayOf(answer.data).map((repo) => readRepo(repo, apiUrl));
  return { items: found, etag: answer.etag, next: answer.next };
}

async function oneRepo(
  { client, apiUrl, signal }: Asking,
  of: { readonly githubId: number } | { readonly owner: string; readonly name: string },
): Promise<SourceRepo | "gone"> {
  const [path, parameters] =
    "githubId" in of
      ? (["/repositories/{id}", { id: of.githubId }] as const)
      : ([
          "/repos/{owner}/{repo}",
          { owner: checkOwner(of.owner), repo: checkName(of.name) },
        ] as const);
  try {
    const answer = await client.read(signal, "the repository", { path, parameters });
    return answer.kind === "found" ? readRepo(answer.data, apiUrl) : "gone";
  } catch (error) {
    // Taken down by GitHub's staff: for good, as far as a job can know.
    if (wasAnswered(error, 403, /access blocked/i)) return "gone";
    throw error;
  }
}

/** None where the repository has gone. By id: it may have another name by now. */
async function items(
  { client, apiUrl, signal }: Asking,
  what: "pulls" | "releases",
  repo: SourceRepo,
  page: string | null,
  parameters: Readonly<Record<string, string>>,
): Promise<{ items: readonly JsonObject[]; next: string | null }> {
  const ask =
    page === null
      ? {
          path: `/repositories/{id}/${what}`,
          parameters: { id: repo.githubId, ...PAGE, ...parameters },
        }
      : { path: pageWithin(apiUrl, page) };
  const answer = await client.read(signal, `${what} of ${repo.owner}/${repo.name}`, ask);
  if (answer.kind !== "found") return { items: [], next: null };
  return { items: arrayOf(answer.data).filter(isJsonObject), next: answer.next };
}

async function gitCredential(auth: GitHubAuth, signal: AbortSignal): Promise<SecretText | null> {
  if (auth.kind === "token") return new SecretText(auth.token);
  // Whoever has the app's key lends its tokens, and clones nothing.
  return auth.kind === "lent" ? auth.token(signal) : null;
}

function arrayOf(data: unknown): readonly unknown[] {
  if (!Array.isArray(data)) throw invalid("the listing", "an array");
  return data;
}

function unknownOwner(owner: string, page: string | null) {
  const what = page === null ? `GitHub knows no owner ${owner}` : "GitHub has that page no more";
  return fault.data("GITHUB_OWNER_UNKNOWN", what, {
    hint: "check the name, and that the app is installed there or the token may see it",
  });
}
