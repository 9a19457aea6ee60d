/** What everything else stands in: the network, its groups, the key, the bucket of access logs. */

import { DefaultSecurityGroup } from "#aws/default-security-group";
import { FlowLog } from "#aws/flow-log";
import { Vpc } from "#aws/vpc";
import { VpcEndpoint } from "#aws/vpc-endpoint";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { makeAccessLogs } from "./access-logs.js";
import { foundStack, putOut } from "./foundation.js";
import { makeKey } from "./key.js";
import { makeSecurityGroups } from "./security-group.js";
import { makeSubnets } from "./subnet.js";

export function makeNetworkStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "network");
  const { cluster, network } = policy.infrastructure;
  const { bucket: logs, policy: logsPolicy } = makeAccessLogs(stack, policy);
  const vpc = new Vpc(stack, "network", {
    cidrBlock: network.cidr,
    enableDnsHostnames: true,
    tags: { Name: cluster },
    lifecycle: { preventDestroy: true },
  });
  // Nobody is in the group that every network is born with; what it allowed is taken away.
  new DefaultSecurityGroup(stack, "default-group", { vpcId: vpc.id });
  new FlowLog(stack, "flow-log", {
    vpcId: vpc.id,
    trafficType: "ALL",
    logDestinationType: "s3",
    logDestination: `${logs.arn}/flow/`,
    // Else AWS writes the policy that is missing, and ours takes it away again.
    dependsOn: [logsPolicy],
  });
  const subnets = makeSubnets(stack, policy, vpc);
  makeEndpoints(stack, policy, { vpc, routeTableIds: subnets.privateRouteTableIds });
  const groups = makeSecurityGroups(stack, policy, vpc);
  putOut(stack, "vpc_id", vpc.id);
  putOut(stack, "public_subnet_ids", subnets.publicIds);
  putOut(stack, "private_subnet_ids", subnets.privateIds);
  putOut(stack, "balancer_group_id", groups.balancer);
  putOut(stack, "task_group_id", groups.task);
  putOut(stack, "database_group_id", groups.database);
  putOut(stack, "cache_group_id", groups.cache);
  putOut(stack, "access_logs_bucket", logs.bucket);
  putOut(stack, "kms_key_arn", makeKey(stack, policy));
}

/** Traffic to S3 and DynamoDB stays inside, and is not paid for at a gateway. */
function makeEndpoints(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  { vpc, routeTableIds }: { vpc: Vpc; routeTableIds: readonly string[] },
): void {
  for (const service of ["s3", "dynamodb"]) {
    new VpcEndpoint(stack, `${service}-endpoint`, {
      vpcId: vpc.id,
      serviceName: `com.amazonaws.${infrastructure.region}.${service}`,
      vpcEndpointType: "Gateway",
      routeTableIds: [...routeTableIds],
    });
  }
}
