/** Who may speak to whom, by group and never by address within the network (HB-aws-21). */

import { SecurityGroup } from "#aws/security-group";
import type { Vpc } from "#aws/vpc";
import { VpcSecurityGroupEgressRule } from "#aws/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "#aws/vpc-security-group-ingress-rule";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { API_PORT } from "./container.js";

const HTTPS = 443;
const HTTP = 80;
const POSTGRES = 5432;
const REDIS = 6379;
const EVERYWHERE = "0.0.0.0/0";

const GROUPS = {
  balancer: "The way in from the internet.",
  task: "The processes of the system.",
  database: "The database, for tasks alone.",
  cache: "The cache, for tasks alone.",
} as const;
type GroupName = keyof typeof GROUPS;
/** Ids by name. */
export type GroupIds = Readonly<Record<GroupName, string>>;

export function makeSecurityGroups(stack: TerraformStack, policy: PolicySet, vpc: Vpc): GroupIds {
  const make = (name: GroupName) =>
    new SecurityGroup(stack, `${name}-group`, {
      name: `${policy.infrastructure.cluster}-${name}`,
      description: GROUPS[name],
      vpcId: vpc.id,
    }).id;
  const ids: GroupIds = {
    balancer: make("balancer"),
    task: make("task"),
    database: make("database"),
    cache: make("cache"),
  };
  allowFromInternet(stack, ids.balancer);
  connect(stack, ids, { from: "balancer", to: "task", port: API_PORT });
  connect(stack, ids, { from: "task", to: "database", port: POSTGRES });
  connect(stack, ids, { from: "task", to: "cache", port: REDIS });
  // GitHub, Slack, PagerDuty and AWS itself have no addresses that stay.
  new VpcSecurityGroupEgressRule(stack, "task-to-internet", {
    securityGroupId: ids.task,
    description: "To other services, over TLS.",
    ...{ cidrIpv4: EVERYWHERE, ...tcp(HTTPS) },
  });
  return ids;
}

/** Port 80 only answers that one should come by 443. */
function allowFromInternet(stack: TerraformStack, group: string): void {
  for (const [name, port] of [
    ["https", HTTPS],
    ["http", HTTP],
  ] as const) {
    new VpcSecurityGroupIngressRule(stack, `balancer-${name}`, {
      securityGroupId: group,
      description: name === "https" ? "People and webhooks." : "Is sent on to 443.",
      ...{ cidrIpv4: EVERYWHERE, ...tcp(port) },
    });
  }
}

/** Both ends: what one may send, the other takes. Rules of their own, for those within a group fight with these. */
function connect(
  stack: TerraformStack,
  ids: GroupIds,
  { from, to, port }: { from: GroupName; to: GroupName; port: number },
): void {
  new VpcSecurityGroupEgressRule(stack, `${from}-to-${to}`, {
    securityGroupId: ids[from],
    description: `To ${to}.`,
    ...{ referencedSecurityGroupId: ids[to], ...tcp(port) },
  });
  new VpcSecurityGroupIngressRule(stack, `${to}-from-${from}`, {
    securityGroupId: ids[to],
    description: `From ${from}.`,
    ...{ referencedSecurityGroupId: ids[from], ...tcp(port) },
  });
}

function tcp(port: number) {
  return { ipProtocol: "tcp", fromPort: port, toPort: port };
}
