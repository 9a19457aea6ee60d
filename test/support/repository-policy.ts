/** The policies of this repository as they stand, for one environment. */
import type { PolicySet } from "../../src/policy/policy.js";
import { loadDirectory, readPolicyDirectory } from "../../src/runtime/policy-source.js";
import { ROOT } from "../house/source-tree.js";

export async function repositoryPolicy(environment: string): Promise<PolicySet> {
  const directory = await readPolicyDirectory("policies", { cwd: ROOT, packageRoot: ROOT });
  const checked = loadDirectory(directory, environment);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
}
