/**
 * Tokens of an app's installation that may read and nothing more, an hour each, for those who must not have the app's
 * key (docs.github.com/rest/apps/apps, "Create an installation access token for an app").
 */
import { createHash } from "node:crypto";
import { SecretText } from "../base/secret-text.js";
import { createGitHubClient, type GitHubAuth } from "./github.js";
import { wasAnswered } from "./github-faults.js";

export interface LendGitHubOptions {
  readonly auth: Exclude<GitHubAuth, { kind: "lent" }>;
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string;
  readonly timeoutMs?: number;
}

export interface GitHubLoan {
  readonly token: SecretText;
  /** `api.github.com#1a2b3c4d/core`: whoever has the same one shares its limit of requests. */
  readonly scope: string;
  /** Null: a person's token, whose end we are not told. */
  readonly expiresAt: Date | null;
}

/**
 * What jobs need, the most first: no more is asked for, whatever the app was granted, and GitHub refuses all of it when
 * one is not. Without the later ones deliveries that we missed cannot be read, nor how pull requests are reviewed.
 */
const PERMISSIONS = [
  { metadata: "read", contents: "read", pull_requests: "read", organization_hooks: "read" },
  { metadata: "read", contents: "read", pull_requests: "read" },
  { metadata: "read", contents: "read" },
] as const;
const NOT_GRANTED = 422;
/** Hex digits: enough to tell credentials apart, too few to try a token by. */
const FINGERPRINT_LENGTH = 8;

/** A new one each time. A person's token is lent as it is: nothing narrower can be made of it. */
export function createGitHubLender(
  options: LendGitHubOptions,
): (signal: AbortSignal) => Promise<GitHubLoan> {
  const { auth } = options;
  const scope = scopeOf(auth, options.apiUrl);
  if (auth.kind === "token") {
    return async () => ({ token: new SecretText(auth.token), scope, expiresAt: null });
  }
  const client = createGitHubClient(options);
  const make = (signal: AbortSignal, permissions: (typeof PERMISSIONS)[number]) =>
    client.call(signal, "a token to lend", (octokit, request) =>
      octokit.apps.createInstallationAccessToken({
        ...{ installation_id: auth.installationId, permissions, request },
      }),
    );
  return async (signal) => {
    const { token, expires_at } = await makeWidest((wanted) => make(signal, wanted));
    return { token: new SecretText(token), scope, expiresAt: new Date(expires_at) };
  };
}

async function makeWidest<T>(
  make: (permissions: (typeof PERMISSIONS)[number]) => Promise<T>,
): Promise<T> {
  const last = PERMISSIONS.length - 1;
  for (const [nth, permissions] of PERMISSIONS.entries()) {
    try {
      return await make(permissions);
    } catch (error) {
      if (nth === last || !wasAnswered(error, NOT_GRANTED)) throw error;
    }
  }
  throw new Error("assertion failed: the last set of permissions ended the loop");
}

/** The limit belongs to the installation and outlives its tokens. */
export function scopeOf(auth: LendGitHubOptions["auth"], apiUrl: string): string {
  const secret =
    auth.kind === "token" ? auth.token : `app ${auth.appId} installation ${auth.installationId}`;
  const digest = createHash("sha256").update(secret).digest("hex");
  return `${new URL(apiUrl).host}#${digest.slice(0, FINGERPRINT_LENGTH)}/core`;
}
