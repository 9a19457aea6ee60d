/**
 * Where images lie: one set of repositories an account, so that what staging ran is what production runs,
 * by the same digest (HB-aws-06, X-20). One environment makes them; the others only name them.
 */

import { EcrLifecyclePolicy } from "#aws/ecr-lifecycle-policy";
import { EcrRepository } from "#aws/ecr-repository";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { type Registry, SERVICES, type ServiceName } from "../src/policy/services.js";
import { foundStack, outputOf, putOut } from "./foundation.js";
import { accountOf, repositoryName } from "./names.js";

export function makeRegistryStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "registry");
  const owner = policy.infrastructure.registry.owner;
  const urls = SERVICES.map((service) => [
    service,
    owner ? makeRepository(stack, policy, service) : addressOf(policy, service),
  ]);
  putOut(stack, "repository_urls", Object.fromEntries(urls));
}

/** Tags are written once: what ran yesterday under a tag is what runs today. Answers its address. */
function makeRepository(stack: TerraformStack, policy: PolicySet, service: ServiceName): string {
  const { registry } = policy.infrastructure;
  const repository = new EcrRepository(stack, `${service}-images`, {
    name: repositoryName(policy, service),
    imageTagMutability: "IMMUTABLE",
    imageScanningConfiguration: { scanOnPush: true },
    encryptionConfiguration: [
      { encryptionType: "KMS", kmsKey: outputOf(stack, policy, "network", "kms_key_arn") },
    ],
    // AWS cannot change it on a repository that has images: an adopted one keeps its own key.
    lifecycle: { preventDestroy: true, ignoreChanges: ["encryption_configuration"] },
  });
  new EcrLifecyclePolicy(stack, `${service}-images-kept`, {
    repository: repository.name,
    policy: JSON.stringify({ rules: [forgetUntagged(registry), keepNewest(registry)] }),
  });
  return repository.repositoryUrl;
}

/** The same address, made of what it is made of: ECR has no other. */
function addressOf(policy: PolicySet, service: ServiceName): string {
  const { region } = policy.infrastructure;
  return `${accountOf(policy)}.dkr.ecr.${region}.amazonaws.com/${repositoryName(policy, service)}`;
}

function forgetUntagged({ untaggedDays }: Registry) {
  return {
    rulePriority: 1,
    description: "What has no tag is of no deployment.",
    selection: {
      ...{ tagStatus: "untagged", countType: "sinceImagePushed" },
      ...{ countUnit: "days", countNumber: untaggedDays },
    },
    action: { type: "expire" },
  };
}

/** Never by age: what production runs may be many merges old. */
function keepNewest({ keptImages }: Registry) {
  return {
    rulePriority: 2,
    description: "The newest are what one goes back to.",
    selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: keptImages },
    action: { type: "expire" },
  };
}
