/** Where a worker's repositories come from and where its exports go, with what it was lent, or, started by hand, with its own. */
import { join } from "node:path";
import type { AwsCredentials } from "../adapter/aws-clients.js";
import { createS3Export } from "../adapter/aws-s3-export.js";
import { createCloneCache } from "../adapter/clone-cache.js";
import type { GitHubAuth } from "../adapter/github.js";
import { scopeOf } from "../adapter/github-lend.js";
import { createGitHubSource } from "../adapter/github-source.js";
import { fault } from "../base/fault.js";
import type { ExportTarget } from "../job/export-port.js";
import type { RepoStore, SourceHost } from "../job/source-port.js";
import type { Shell } from "../runbook/port.js";
import type { Borrower } from "../runtime/borrower.js";
import type { DependencyGuard } from "../runtime/dependency-guard.js";
import { guardSource } from "../runtime/guarded-source.js";
import { isGone, processKey } from "../runtime/process-key.js";
import { createRequestGate } from "../runtime/request-gate.js";
import type { Foundation } from "./foundation.js";
import { ownGitHubAuth, regionOf } from "./lending.js";

export interface SourceSetup {
  /** Null: nobody supervises this process. */
  readonly borrower: Borrower | null;
  readonly shell: Shell;
  readonly guard: DependencyGuard;
}

/** Null: no credentials for GitHub. A supervised worker always has one, which may say that it was lent nothing. */
export function openSource(
  foundation: Foundation,
  { borrower, guard }: Pick<SourceSetup, "borrower" | "guard">,
): SourceHost | null {
  const { db, clock, log, random, policy, config } = foundation;
  const { apiUrl } = config.github;
  const reach = borrower === null ? ownReach(foundation) : lentReach(borrower);
  if (reach === null) return null;
  const rules = () => policy().workload.github;
  const gate = createRequestGate(reach.scope, { db, clock, log, random, rules });
  return guardSource(createGitHubSource({ auth: reach.auth, apiUrl, gate }), guard);
}

interface Reach {
  readonly auth: GitHubAuth;
  scope(signal: AbortSignal): Promise<string>;
}

function ownReach({ config }: Foundation): Reach | null {
  const auth = ownGitHubAuth(config);
  return auth && { auth, scope: async () => scopeOf(auth, config.github.apiUrl) };
}

function lentReach(borrower: Borrower): Reach {
  return {
    auth: { kind: "lent", token: async (signal) => (await borrower.github(signal)).token },
    scope: async (signal) => (await borrower.github(signal)).scope,
  };
}

/** Clones of what that host keeps. Null: there is no host. */
export function openClones(
  { config, policy, clock }: Foundation,
  source: SourceHost | null,
  shell: Shell,
): RepoStore | null {
  if (source === null) return null;
  try {
    return createCloneCache({
      shell,
      folder: join(config.home, "repositories"),
      origin: originOf(config.github.apiUrl),
      credential: (signal) => source.gitCredential(signal),
      limits: () => policy().workload.repositories,
      processes: { keyOf: processKey, isGone },
      now: () => clock.now(),
    });
  } catch (refusal) {
    return withoutClones(refusal);
  }
}

/** A host that must not be cloned from stops those who want a clone, and nobody else. */
function withoutClones(refusal: unknown): RepoStore {
  return {
    hold: () => Promise.reject(refusal),
    forget: async () => {},
    stats: async () => ({ repos: 0, bytes: 0 }),
  };
}

/** `https://api.github.com` serves what `https://github.com` keeps; an Enterprise server has both at one host. */
function originOf(apiUrl: string): string {
  const { origin, hostname } = new URL(apiUrl);
  return hostname === "api.github.com" ? "https://github.com" : origin;
}

/** Null: exports stay on this machine. */
export function openExportBucket(
  foundation: Foundation,
  borrower: Borrower | null,
): ExportTarget | null {
  const { config } = foundation;
  const { exportsBucket: bucket } = config.overrides;
  if (bucket === null) return null;
  const access = {
    region: regionOf(foundation),
    endpointUrl: config.aws.endpointUrl,
    ...(borrower === null ? {} : { credentials: () => lentCredentials(borrower) }),
  };
  return createS3Export({ ...access, bucket, prefix: "" });
}

async function lentCredentials(borrower: Borrower): Promise<AwsCredentials> {
  const lent = await borrower.s3(AbortSignal.timeout(LENT_WITHIN_MS));
  if (lent === null)
    throw fault.refused("AWS_NOT_CONFIGURED", "the supervisor has no credentials of AWS to lend");
  return {
    accessKeyId: lent.accessKeyId,
    secretAccessKey: lent.secretAccessKey.reveal(),
    ...(lent.sessionToken === null ? {} : { sessionToken: lent.sessionToken.reveal() }),
    ...(lent.expiresAt === null ? {} : { expiration: lent.expiresAt }),
  };
}

/** Milliseconds for the supervisor to answer. */
const LENT_WITHIN_MS = 10_000;
