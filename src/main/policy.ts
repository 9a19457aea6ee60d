/** The policy that a process works with: read from files by the one that starts, from the database by its children. */
import { fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import { policyDigest } from "../policy/digest.js";
import type { PolicySet } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import type { Database } from "../store/database.js";
import { publishPolicy, readPolicyInForce } from "../store/policies.js";

export interface PolicyInForce {
  readonly set: PolicySet;
  readonly digest: string;
}

/** Throws a refused Fault with every problem at its place when the files are not valid. */
export async function loadPolicyFiles(
  config: Config,
  where: { readonly cwd: string; readonly packageRoot: string },
): Promise<PolicySet> {
  const { policySource, environment } = config;
  if (policySource.kind === "s3") {
    throw fault.refused(
      "POLICY_SOURCE_UNSUPPORTED",
      `POLICY_SOURCE: this version reads a directory, not s3://`,
      {
        hint: "set POLICY_SOURCE to the folder that holds access.yaml and algobrain/",
      },
    );
  }
  const checked = loadDirectory(await readPolicyDirectory(policySource.path, where), environment);
  if (checked.ok) return checked.value;
  const lines = checked.problems.map(formatProblem).join("\n");
  throw fault.refused("POLICY_INVALID", `the policies are invalid:\n${lines}`, {
    hint: "correct these lines; nothing was started",
  });
}

/** Makes the set the one in force, and answers with its digest. */
export async function publish(
  db: Database,
  set: PolicySet,
  source: string,
): Promise<PolicyInForce> {
  const digest = policyDigest(set);
  await publishPolicy(db, { digest, bundle: set, source });
  return { set, digest };
}

/** Throws a critical Fault when there is none, or when the row is not what its digest says. */
export async function readPublished(db: Database): Promise<PolicyInForce> {
  const revision = await readPolicyInForce(db);
  if (!revision) {
    throw fault.critical("POLICY_NOT_PUBLISHED", "no policy is in force in this database", {
      hint: "start `algobrain serve`, which publishes the one that it read",
    });
  }
  // Written by this program's own `publish`; the digest proves that nobody else changed it.
  const set = revision.bundle as unknown as PolicySet;
  if (policyDigest(set) !== revision.digest) {
    throw fault.critical(
      "POLICY_DIGEST_MISMATCH",
      `policy revision ${revision.revision} is not what its digest says`,
    );
  }
  return { set, digest: revision.digest };
}
