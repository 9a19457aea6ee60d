/** A token of GitHub that is not ours yet, or no longer: whether it works, and how it ends (RB-97, X-78). */
import { fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import type { SystemWriter } from "../runbook/port.js";
import { SYSTEM } from "./github-faults.js";
import { faultOfStatus, type HttpResponse, sendHttp } from "./http.js";

export interface TokenCareOptions {
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string;
  /** `owner/name` that the token has to see; null: any token that GitHub knows will do. */
  readonly repository: string | null;
}

const TIMEOUT_MS = 10_000;
const HEADERS = {
  accept: "application/vnd.github+json",
  "user-agent": "algobrain-control-plane",
  "x-github-api-version": "2022-11-28",
};
/** Kinds that can be revoked by whoever has them (docs.github.com/rest/credentials/revoke), by how they begin. */
const REVOCABLE = /^(ghp_|github_pat_|gho_|ghu_|ghr_)/;
/** On answers to a token that ends: `2026-12-01 00:00:00 UTC`. */
const ENDS_AT = "github-authentication-token-expiration";

export function createTokenCare({
  apiUrl,
  repository,
}: TokenCareOptions): Pick<SystemWriter, "testGitHubToken" | "revokeGitHubToken"> {
  const base = apiUrl.replace(/\/+$/, "");
  return {
    testGitHubToken: async (token, signal) => {
      const path = repository === null ? "rate_limit" : `repos/${repository}`;
      const response = await sendHttp({
        ...{ system: SYSTEM, method: "GET", url: `${base}/${path}`, timeoutMs: TIMEOUT_MS, signal },
        headers: { ...HEADERS, authorization: `Bearer ${token.reveal()}` },
      });
      throwUnlessTaken(response, repository);
      return { endsAt: endOf(response.headers.get(ENDS_AT)) };
    },
    revokeGitHubToken: (token, signal) => revoke(base, token, signal),
  };
}

/** A refusal is about the token that was asked for, not about the credentials that this program lives by. */
function throwUnlessTaken(response: HttpResponse, repository: string | null): void {
  const { status } = response;
  const failed = faultOfStatus(SYSTEM, response, "the token");
  if (failed === null) return;
  if (status !== 401 && (status !== 403 || failed.code !== "GITHUB_UNAUTHORIZED") && status !== 404)
    throw failed;
  const why =
    status === 401 ? "GitHub does not know it" : `it may not see ${repository ?? "anything"}`;
  throw fault.refused("GITHUB_TOKEN_REFUSED", `GitHub refused the token (${status}): ${why}`, {
    hint: "make another one with the right repository and permissions",
  });
}

/** Unauthenticated on purpose: GitHub answers 403 to every other request there. */
async function revoke(base: string, token: SecretText, signal: AbortSignal): Promise<void> {
  if (!REVOCABLE.test(token.reveal())) throw notRevocable("GitHub revokes none of its kind");
  const response = await sendHttp({
    ...{ system: SYSTEM, method: "POST", url: `${base}/credentials/revoke`, signal },
    ...{ timeoutMs: TIMEOUT_MS, headers: { ...HEADERS, "content-type": "application/json" } },
    body: JSON.stringify({ credentials: [token.reveal()] }),
  });
  const { status } = response;
  if ([401, 404, 422].includes(status)) throw notRevocable(`this GitHub answered ${status}`);
  const failed = faultOfStatus(SYSTEM, response, "the token");
  if (failed !== null) throw failed;
}

function notRevocable(why: string) {
  return fault.refused("GITHUB_TOKEN_NOT_REVOCABLE", `the old token cannot be revoked: ${why}`, {
    hint: "revoke it by hand: GitHub, Settings, Developer settings, Personal access tokens",
  });
}

function endOf(text: string | null): Date | null {
  if (text === null) return null;
  const at = new Date(text.replace(/ UTC$/, "Z").replace(" ", "T"));
  return Number.isNaN(at.getTime()) ? null : at;
}
