/** The policies that a plan is judged by. */
import { formatProblem } from "../../base/problem.js";
import type { PolicySet } from "../../policy/policy.js";
import { loadDirectory, readPolicyDirectory } from "../../runtime/policy-source.js";
import { oneOf } from "../arguments.js";
import type { CommandIo } from "../command.js";
import { environmentsIn } from "../policy/environments.js";

export const POLICY_OPTIONS = {
  env: { type: "string", default: "production" },
  policies: { type: "string", default: "policies" },
} as const;

/** Null when they have problems: they have been shown. */
export async function policyOf(
  { env, policies }: { readonly env: string; readonly policies: string },
  io: CommandIo,
): Promise<PolicySet | null> {
  const directory = await readPolicyDirectory(policies, io);
  const environment = oneOf("--env", env, environmentsIn(directory.files));
  const checked = loadDirectory(directory, environment);
  if (checked.ok) return checked.value;
  for (const problem of checked.problems) io.err(formatProblem(problem));
  return null;
}
