/**
 * Who may do what: a role that plans, one that applies, one that pushes images, one that runbooks work as; and
 * the line that none of them crosses. The first two and the line are made by `bootstrap`, and changed by an administrator
 * alone: a role that could change itself would have no limits.
 */

import { IamPolicy } from "#aws/iam-policy";
import { IamRole } from "#aws/iam-role";
import { IamRolePolicy } from "#aws/iam-role-policy";
import { IamRolePolicyAttachment } from "#aws/iam-role-policy-attachment";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { applyPower } from "./apply-power.js";
import { applyPowerUnnamed } from "./apply-power-unnamed.js";
import { boundary, boundaryName } from "./boundary.js";
import { foundStack, outputOf, putOut } from "./foundation.js";
import { qualified } from "./names.js";
import { gitHubProvider, trustGitHub } from "./oidc.js";
import type { OutputName } from "./outputs.js";
import { look, planPower } from "./plan-power.js";
import { pushPower } from "./push-power.js";
import { runPower, trustExecutor } from "./run-power.js";
import { policyDocument, type Statement } from "./statement.js";

/** Pull requests, the schedule that looks for drift, and the gate of production, which looks at what staging runs. */
const PLANNING = ["pull_request", "ref:refs/heads/main", "environment:production"];
/** The environment at GitHub in which images are built. */
const BUILDING = "environment:images";

export function makeIdentityStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "identity");
  const provider = gitHubProvider(stack, policy);
  const line = new IamPolicy(stack, "boundary", {
    name: boundaryName(policy),
    policy: policyDocument(boundary(policy)),
    lifecycle: { preventDestroy: true },
  });
  const make = (role: RoleOptions) => makeRole(stack, policy, line.arn, role);
  const plan = make({
    name: "plan",
    trust: trustGitHub(policy, provider, PLANNING),
    power: planPower(policy),
  });
  const apply = make({
    name: "apply",
    trust: trustGitHub(policy, provider, [
      `environment:${policy.infrastructure.identity.applyEnvironment}`,
    ]),
    power: applyPower(policy),
  });
  const masterSecret = outputOf(stack, policy, "data", "migrator_secret_arn");
  make({ name: "executor", trust: trustExecutor(policy), power: runPower(policy, masterSecret) });
  // Where the repositories are: every environment runs the same images.
  if (policy.infrastructure.registry.owner)
    make({
      name: "push",
      trust: trustGitHub(policy, provider, [BUILDING]),
      power: pushPower(policy),
    });
  share(stack, policy, { name: "look", power: [look()], roles: [plan, apply] });
  share(stack, policy, {
    name: "apply-unnamed",
    power: applyPowerUnnamed(policy),
    roles: [apply],
  });
  putOut(stack, "boundary_arn", line.arn);
}

interface RoleOptions {
  readonly name: "plan" | "apply" | "executor" | "push";
  readonly trust: string;
  readonly power: readonly Statement[];
}

const TOLD: Readonly<Record<RoleOptions["name"], OutputName>> = {
  plan: "plan_role_arn",
  apply: "apply_role_arn",
  executor: "executor_role_arn",
  push: "push_role_arn",
};

function makeRole(
  stack: TerraformStack,
  policy: PolicySet,
  permissionsBoundary: string,
  { name, trust, power }: RoleOptions,
): IamRole {
  const role = new IamRole(stack, `${name}-role`, {
    name: qualified(policy, name),
    assumeRolePolicy: trust,
    permissionsBoundary,
  });
  new IamRolePolicy(stack, `${name}-power`, {
    name: "power",
    role: role.name,
    policy: policyDocument(power),
  });
  putOut(stack, TOLD[name], role.arn);
  return role;
}

/** A policy of its own that roles carry: their own would grow too long with it. */
function share(
  stack: TerraformStack,
  policy: PolicySet,
  { name, power, roles }: { name: string; power: readonly Statement[]; roles: readonly IamRole[] },
): void {
  const shared = new IamPolicy(stack, name, {
    name: qualified(policy, name),
    policy: policyDocument(power),
  });
  for (const role of roles) {
    new IamRolePolicyAttachment(stack, `${role.node.id}-${name}`, {
      role: role.name,
      policyArn: shared.arn,
    });
  }
}
