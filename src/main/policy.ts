/**
 * The policy that a process begins with. Files are the truth of a machine that runs alone: a start puts them in
 * force. Where keys are pinned or bundles are published, what was last adopted stays in force over a start, and
 * whatever was read only begins where there was nothing.
 */
import { fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import type { LoadedSet } from "../policy/bundle.js";
import { policyDigest } from "../policy/digest.js";
import type { PublicKey } from "../policy/envelope-types.js";
import { completeSet } from "../policy/older.js";
import type { PolicySet } from "../policy/policy.js";
import type { BundleSource } from "../review/port.js";
import type { Config } from "../runtime/config.js";
import type { PolicyInForce } from "../runtime/policy-in-force.js";
import { loadDirectoryRaw, readPolicyDirectory } from "../runtime/policy-source.js";
import { trustedKeys } from "../runtime/signing-key.js";
import type { Database } from "../store/database.js";
import { type PolicyRevision, publishPolicy, readPolicyInForce } from "../store/policies.js";
import { openBundleSource } from "./bundle-place.js";
import { seedFromBundle } from "./seed-policy.js";

/** What a start has besides the database. */
export interface PolicyOrigin {
  /** Read from files; null: they are published as bundles. */
  readonly loaded: LoadedSet | null;
  /** Null: bundles come through the API alone. */
  readonly source: BundleSource | null;
  /** Whose signature is believed. */
  readonly keys: readonly PublicKey[];
}

interface Where {
  readonly cwd: string;
  readonly packageRoot: string;
}

/** Throws a refused Fault with every problem at its place when the files are not valid. */
export async function openPolicyOrigin(config: Config, where: Where): Promise<PolicyOrigin> {
  const source = await openBundleSource(config, where.cwd);
  const keys = await trustedKeys(config);
  if (source !== null && keys.length === 0) {
    throw fault.refused(
      "POLICY_PUBLIC_KEY_MISSING",
      `POLICY_SOURCE leads to bundles (${source.name}), and no key is pinned: none could be believed`,
      { hint: "set POLICY_PUBLIC_KEY: `algobrain policy publish --json` prints it as key.raw" },
    );
  }
  const loaded = source === null ? await loadPolicyFiles(config, where) : null;
  return { source, loaded, keys };
}

async function loadPolicyFiles(config: Config, where: Where): Promise<LoadedSet> {
  const checked = loadDirectoryRaw(
    await readPolicyDirectory(pathOf(config), where),
    config.environment,
  );
  if (checked.ok) return checked.value;
  const lines = checked.problems.map(formatProblem).join("\n");
  throw fault.refused("POLICY_INVALID", `the policies are invalid:\n${lines}`, {
    hint: "correct these lines; nothing was started",
  });
}

function pathOf({ policySource }: Config): string {
  return policySource.kind === "directory" ? policySource.path : `s3://${policySource.bucket}`;
}

/** Of a start: puts in force what must be, and answers with what is in force then. */
export async function beginPolicy(
  db: Database,
  origin: PolicyOrigin,
  options: {
    readonly config: Config;
    /** The game day lays an overlay over what the files say. */
    readonly changePolicy?: ((policy: PolicySet) => PolicySet) | undefined;
  },
): Promise<PolicyInForce> {
  const { config, changePolicy } = options;
  const { loaded } = origin;
  const isPinned = config.policyTrust.keys.length > 0;
  if (loaded === null || isPinned) {
    const known = await readPolicyInForce(db);
    if (known !== null) return toInForce(known);
  }
  if (loaded === null) {
    await seedFromBundle(db, origin, config.environment);
    return readPublished(db);
  }
  const source = pathOf(config);
  // What a program has changed is not what people wrote.
  return changePolicy === undefined
    ? publish(db, loaded.set, source, loaded.raw)
    : publish(db, changePolicy(loaded.set), source);
}

/** Makes the set the one in force, and answers with it. */
export async function publish(
  db: Database,
  set: PolicySet,
  source: string,
  sections: unknown = null,
): Promise<PolicyInForce> {
  await publishPolicy(db, { digest: policyDigest(set), bundle: set, source, sections });
  return readPublished(db);
}

/** Throws a critical Fault when there is none, or when the row is not what its digest says. */
export async function readPublished(db: Database): Promise<PolicyInForce> {
  const revision = await readPolicyInForce(db);
  if (revision !== null) return toInForce(revision);
  throw fault.critical("POLICY_NOT_PUBLISHED", "no policy is in force in this database", {
    hint: "start `algobrain serve`, which publishes the one that it read",
  });
}

function toInForce(row: PolicyRevision): PolicyInForce {
  const { revision, digest, commit, bundleRevision, sections } = row;
  // Written by a program like this one; the digest proves that nobody has changed it since.
  const stored = row.bundle as unknown as PolicySet;
  if (policyDigest(stored) !== digest) {
    throw fault.critical(
      "POLICY_DIGEST_MISMATCH",
      `policy revision ${revision} is not what its digest says`,
    );
  }
  // What an older program has left out is what this one takes for granted.
  return { set: completeSet(stored), digest, revision, commit, bundleRevision, sections };
}
