/** What every stack begins with: a provider in the policy's region, tags on everything, a locked state. */

import { AwsProvider } from "#aws/provider";
import { type App, LocalBackend, S3Backend, type S3BackendConfig, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { stackName, stateBucketName } from "./names.js";

/** `use_lockfile` (a lock beside the state, no DynamoDB table) needs this. */
const TERRAFORM_VERSION = ">= 1.10";

/** An empty stack of one part of the system, e.g. `services`. */
export function foundStack(app: App, policy: PolicySet, part: string): TerraformStack {
  const stack = new TerraformStack(app, stackName(policy, part));
  stack.addOverride("terraform.required_version", TERRAFORM_VERSION);
  new AwsProvider(stack, "aws", {
    region: policy.infrastructure.region,
    defaultTags: [
      {
        tags: { system: policy.system, environment: policy.environment, "managed-by": "terraform" },
      },
    ],
  });
  if (policy.environment === "local") new LocalBackend(stack, { path: "terraform.tfstate" });
  else lockedState(stack, policy, part);
  return stack;
}

function lockedState(stack: TerraformStack, policy: PolicySet, part: string): void {
  // The library is older than state locking in S3; the key passes through its config untyped.
  const backend: S3BackendConfig & { readonly useLockfile: true } = {
    bucket: stateBucketName(policy),
    key: `${part}.tfstate`,
    region: policy.infrastructure.region,
    encrypt: true,
    useLockfile: true,
  };
  new S3Backend(stack, backend);
}
