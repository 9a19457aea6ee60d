/** The policies of this repository, as one environment resolves them. */
import { join } from "node:path";
import { formatProblem } from "../../src/base/problem.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { loadDirectory, readPolicyDirectory } from "../../src/runtime/policy-source.js";

const ROOT = join(import.meta.dirname, "..", "..");

export async function readRepositoryPolicy(environment: string): Promise<PolicySet> {
  const directory = await readPolicyDirectory("policies", { cwd: ROOT, packageRoot: ROOT });
  const checked = loadDirectory(directory, environment);
  if (!checked.ok) throw new Error(checked.problems.map(formatProblem).join("\n"));
  return checked.value;
}
