/**
 * Logs to Datadog, only when the policy wants it (HB-aws-20, HB-log-05): of every service, not of the first (X-27). What
 * people type in remote shells stays here.
 */

import { CloudformationStack } from "#aws/cloudformation-stack";
import { CloudwatchLogSubscriptionFilter } from "#aws/cloudwatch-log-subscription-filter";
import { LambdaPermission } from "#aws/lambda-permission";
import { SecretsmanagerSecret } from "#aws/secretsmanager-secret";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import { outputOf } from "./foundation.js";
import { arnOf, logGroupName, qualified, secretPath } from "./names.js";

/** Datadog offers its forwarder as a CloudFormation template; a pinned one, since it runs with our logs in hand. */
const TEMPLATE =
  "https://datadog-cloudformation-template.s3.amazonaws.com/aws/forwarder/5.4.1.yaml";
const TEMPLATE_OUTPUT = "DatadogForwarderArn";

export function makeForwarder(stack: TerraformStack, policy: PolicySet, keyArn: string): void {
  const { datadog } = policy.infrastructure;
  if (!datadog.forwarder) return;
  const destinationArn = datadog.forwarderArn ?? installForwarder(stack, policy, keyArn);
  for (const service of SERVICES) {
    const group = logGroupName(policy, service);
    // CloudWatch asks whether it may call the function the moment the filter is made.
    const permission = new LambdaPermission(stack, `forward-${service}-permission`, {
      statementId: `${qualified(policy, service)}-logs`,
      action: "lambda:InvokeFunction",
      functionName: destinationArn,
      principal: `logs.${policy.infrastructure.region}.amazonaws.com`,
      sourceArn: `${arnOf(policy, "logs", `log-group:${group}`)}:*`,
    });
    new CloudwatchLogSubscriptionFilter(stack, `forward-${service}`, {
      name: qualified(policy, "datadog"),
      logGroupName: group,
      // Empty: every line.
      filterPattern: "",
      destinationArn,
      dependsOn: [permission],
    });
  }
}

/** Its API key is read by the function itself, from a secret that a person fills: here passes only the ARN. */
function installForwarder(stack: TerraformStack, policy: PolicySet, keyArn: string): string {
  const key = new SecretsmanagerSecret(stack, "secret-datadog-api-key", {
    name: secretPath(policy, "datadog-api-key"),
    kmsKeyId: keyArn,
  });
  const forwarder = new CloudformationStack(stack, "forwarder", {
    name: qualified(policy, "datadog-forwarder"),
    templateUrl: TEMPLATE,
    capabilities: ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    parameters: {
      DdApiKeySecretArn: key.arn,
      FunctionName: qualified(policy, "datadog-forwarder"),
      // An apply may make no role that could cross the line.
      PermissionsBoundaryArn: outputOf(stack, policy, "identity", "boundary_arn"),
    },
  });
  return forwarder.outputs.lookup(TEMPLATE_OUTPUT);
}
