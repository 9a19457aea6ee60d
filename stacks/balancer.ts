/** The way in for people and webhooks: HTTPS to the API's tasks, and port 80 only to say so (HB-aws-17, HB-req-10). */

import { Lb } from "#aws/lb";
import { LbListener } from "#aws/lb-listener";
import { LbTargetGroup } from "#aws/lb-target-group";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { certificateArn } from "./certificate.js";
import { API_PORT, LIVE_PATH } from "./container.js";
import { imageName } from "./names.js";

const HTTPS_PORT = 443;
const HTTP_PORT = 80;
/** TLS 1.2 and 1.3 only (docs.aws.amazon.com, "Security policies for your Application Load Balancer"). */
const TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06";
/** Its part of the bucket of access logs, and the only one it may write to (LB-aws-08). */
const LOG_PREFIX = "alb";

/** What the network has made. */
export interface BalancerInputs {
  readonly vpcId: string;
  readonly publicSubnetIds: string[];
  readonly groupId: string;
  readonly accessLogsBucket: string;
}

export interface Balancer {
  readonly arnSuffix: string;
  readonly targetGroupArn: string;
  readonly targetGroupArnSuffix: string;
  /** ECS refuses a target group that no listener leads to. */
  readonly listener: LbListener;
}

export function makeBalancer(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: BalancerInputs,
): Balancer {
  // No firewall before it: the API bounds requests by subject and address itself (HB-env-25), and its doors are signed.
  const balancer = new Lb(stack, "balancer", {
    // AWS allows 32 characters.
    name: imageName(policy, "api"),
    loadBalancerType: "application",
    internal: false,
    subnets: inputs.publicSubnetIds,
    securityGroups: [inputs.groupId],
    dropInvalidHeaderFields: true,
    enableDeletionProtection: true,
    accessLogs: { bucket: inputs.accessLogsBucket, prefix: LOG_PREFIX, enabled: true },
  });
  const targets = makeTargets(stack, policy, inputs.vpcId);
  const listener = makeListeners(stack, policy, balancer.arn, targets.arn);
  return {
    arnSuffix: balancer.arnSuffix,
    targetGroupArn: targets.arn,
    targetGroupArnSuffix: targets.arnSuffix,
    listener,
  };
}

/**
 * It asks whether the process lives, not whether all that it needs is well (design 8.6): `/health` is 503 while the
 * database is down, and a balancer that believed it would end every task at once.
 */
function makeTargets(stack: TerraformStack, policy: PolicySet, vpcId: string): LbTargetGroup {
  const { balancer } = policy.infrastructure;
  return new LbTargetGroup(stack, "api-targets", {
    name: imageName(policy, "api"),
    port: API_PORT,
    // In clear only within the network, where nobody but the balancer's group may call.
    protocol: "HTTP",
    targetType: "ip",
    vpcId,
    deregistrationDelay: String(balancer.drainS),
    healthCheck: {
      enabled: true,
      path: LIVE_PATH,
      matcher: "200",
      interval: balancer.checkEveryS,
      timeout: balancer.checkTimeoutS,
      healthyThreshold: balancer.healthyAfter,
      unhealthyThreshold: balancer.unhealthyAfter,
    },
  });
}

function makeListeners(
  stack: TerraformStack,
  policy: PolicySet,
  loadBalancerArn: string,
  targetGroupArn: string,
): LbListener {
  new LbListener(stack, "redirect", {
    loadBalancerArn,
    port: HTTP_PORT,
    protocol: "HTTP",
    defaultAction: [
      {
        type: "redirect",
        redirect: { port: String(HTTPS_PORT), protocol: "HTTPS", statusCode: "HTTP_301" },
      },
    ],
  });
  return new LbListener(stack, "https", {
    loadBalancerArn,
    port: HTTPS_PORT,
    protocol: "HTTPS",
    sslPolicy: TLS_POLICY,
    certificateArn: certificateArn(stack, "api", policy.infrastructure.api),
    defaultAction: [{ type: "forward", targetGroupArn }],
  });
}
