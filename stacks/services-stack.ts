/** The cluster and its three services (HB-aws-01…08, -18, -19, -22). */

import { EcsCluster } from "#aws/ecs-cluster";
import type { TerraformStack } from "#cdk";
import { type App, TerraformVariable } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { foundStack } from "./foundation.js";
import { SERVICES } from "./names.js";
import { makeSecrets } from "./secret.js";
import { makeService, type ServiceInputs } from "./service.js";

export function makeServicesStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "services");
  const cluster = new EcsCluster(stack, "cluster", {
    name: policy.infrastructure.cluster,
    setting: [{ name: "containerInsights", value: "enabled" }],
    // DEFAULT: sessions go to the log group of the container they were opened in.
    configuration: { executeCommandConfiguration: { logging: "DEFAULT" } },
  });
  const secretsOf = makeSecrets(stack, policy);
  const inputs = makeInputs(stack);
  for (const name of SERVICES) {
    makeService(stack, policy, { name, cluster, secrets: secretsOf(name), inputs });
  }
}

function makeInputs(stack: TerraformStack): ServiceInputs {
  const subnetIds = new TerraformVariable(stack, "subnet_ids", {
    type: "list(string)",
    description: "Private subnets of the tasks, in two availability zones or more.",
  });
  const securityGroupIds = new TerraformVariable(stack, "security_group_ids", {
    type: "list(string)",
    description: "Security groups of the tasks.",
  });
  const imageTag = new TerraformVariable(stack, "image_tag", {
    type: "string",
    description: "The commit whose images run: 40 hexadecimal digits.",
    validation: [
      {
        // A moving tag says neither what runs nor what to go back to.
        condition: `\${can(regex("^[0-9a-f]{40}$", var.image_tag))}`,
        errorMessage: "image_tag must be a full commit SHA of 40 hexadecimal digits.",
      },
    ],
  });
  return {
    subnetIds: subnetIds.listValue,
    securityGroupIds: securityGroupIds.listValue,
    imageTag: imageTag.stringValue,
  };
}
