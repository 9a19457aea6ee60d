/** Where the dashboard's files lie: a private bucket that only the distribution in front of it may read (HB-aws-14). */

import type { App } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { makeBucket } from "./bucket.js";
import { CDN_ARN, makeDistribution } from "./distribution.js";
import { foundStack, outputOf, putOut } from "./foundation.js";
import type { Statement } from "./statement.js";

/** Without a site nothing is made; without `cdn` only its bucket (HB-req-09). */
export function makeDeliveryStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "delivery");
  const { frontend } = policy.infrastructure;
  if (!frontend.enabled) return;
  const bucket = makeBucket(stack, policy, {
    id: "frontend",
    name: frontend.bucket,
    // The files are public the moment they are served: a key of our own would guard nothing.
    keyArn: null,
    versioned: true,
    expireDays: null,
    oldVersionDays: frontend.oldVersionDays,
    logsTo: outputOf(stack, policy, "network", "access_logs_bucket"),
    statements: frontend.cdn ? [ourDistribution(frontend.bucket)] : [],
  });
  putOut(stack, "frontend_bucket", bucket.id);
  if (frontend.cdn) {
    const distribution = makeDistribution(stack, policy, bucket);
    putOut(stack, "distribution_id", distribution.id);
  }
}

/** CloudFront is one service for all the world: only our own distribution of it. */
function ourDistribution(bucket: string): Statement {
  return {
    Sid: "OurDistribution",
    Effect: "Allow",
    Principal: { Service: "cloudfront.amazonaws.com" },
    Action: ["s3:GetObject"],
    Resource: [`arn:aws:s3:::${bucket}/*`],
    Condition: { StringEquals: { "AWS:SourceArn": CDN_ARN } },
  };
}
