/**
 * What every stack begins with: a provider in the policy's region and account, tags on everything, a
 * locked state; and how one stack reads what another tells.
 */

import { AwsProvider } from "#aws/provider";
import {
  type App,
  DataTerraformRemoteStateLocal,
  DataTerraformRemoteStateS3,
  LocalBackend,
  S3Backend,
  type S3BackendConfig,
  TerraformOutput,
  TerraformStack,
  Token,
} from "#cdk";
import { assert } from "../src/base/assert.js";
import type { PolicySet } from "../src/policy/policy.js";
import type { StackPart } from "../src/policy/stack-order.js";
import { stackName, stateBucketName } from "./names.js";
import { OUTPUTS, type OutputName } from "./outputs.js";

/** `use_lockfile` (a lock beside the state, no DynamoDB table) needs this. */
const TERRAFORM_VERSION = ">= 1.10";
const LOCAL_STATE = "terraform.tfstate";

/** An empty stack of one part of the system. */
export function foundStack(app: App, policy: PolicySet, part: StackPart): TerraformStack {
  const stack = new TerraformStack(app, stackName(policy, part));
  stack.addOverride("terraform.required_version", TERRAFORM_VERSION);
  // The library writes the bare word `aws`, which OpenTofu reads as another provider (opentofu#2402).
  stack.addOverride("terraform.required_providers.aws.source", "hashicorp/aws");
  const { region, account } = policy.infrastructure;
  new AwsProvider(stack, "aws", {
    region,
    // Credentials of another account end here and not in that account.
    ...(account === null ? {} : { allowedAccountIds: [account] }),
    defaultTags: [
      {
        tags: { system: policy.system, environment: policy.environment, "managed-by": "terraform" },
      },
    ],
  });
  if (isLocal(policy)) new LocalBackend(stack, { path: LOCAL_STATE });
  else lockedState(stack, policy, part);
  return stack;
}

/** Tells the stacks that come later. What is told stands in the state in clear text: never a secret. */
export function putOut(
  stack: TerraformStack,
  name: OutputName,
  value: string | readonly string[] | Readonly<Record<string, string>>,
): void {
  const description = `For the stacks after ${OUTPUTS[name]}: ${name.replaceAll("_", " ")}.`;
  new TerraformOutput(stack, name, { value, description });
}

/** `${data.terraform_remote_state.network.outputs.vpc_id}`: what `part`, an earlier stack, told when it was applied. */
export function outputOf(
  stack: TerraformStack,
  policy: PolicySet,
  part: StackPart,
  name: OutputName,
): string {
  assert(OUTPUTS[name] === part, `${name} is told by ${OUTPUTS[name]}, not by ${part}`);
  readState(stack, policy, part);
  return `\${data.terraform_remote_state.${part}.outputs.${name}}`;
}

export function outputListOf(
  stack: TerraformStack,
  policy: PolicySet,
  part: StackPart,
  name: OutputName,
): string[] {
  return Token.asList(outputOf(stack, policy, part, name));
}

/**
 * One value of an output that is a map, e.g. the address of one image repository. Without quotes, so that
 * it survives within JSON text.
 */
export function outputEntryOf(
  stack: TerraformStack,
  policy: PolicySet,
  part: StackPart,
  { name, key }: { readonly name: OutputName; readonly key: string },
): string {
  return outputOf(stack, policy, part, name).replace(/\}$/, `.${key}}`);
}

function lockedState(stack: TerraformStack, policy: PolicySet, part: StackPart): void {
  // The library is older than state locking in S3; the key passes through its config untyped.
  const backend: S3BackendConfig & { readonly useLockfile: true } = {
    ...stateOf(policy, part),
    encrypt: true,
    useLockfile: true,
  };
  new S3Backend(stack, backend);
}

function stateOf(policy: PolicySet, part: StackPart) {
  const { region } = policy.infrastructure;
  return { bucket: stateBucketName(policy), key: `${part}.tfstate`, region };
}

/** Once a stack and part: the state of another part as data. */
function readState(stack: TerraformStack, policy: PolicySet, part: StackPart): void {
  const id = `state-of-${part}`;
  if (stack.node.tryFindChild(id) !== undefined) return;
  const state = isLocal(policy)
    ? new DataTerraformRemoteStateLocal(stack, id, {
        path: `../${stackName(policy, part)}/${LOCAL_STATE}`,
      })
    : new DataTerraformRemoteStateS3(stack, id, stateOf(policy, part));
  state.overrideLogicalId(part);
}

function isLocal(policy: PolicySet): boolean {
  return policy.environment === "local";
}
