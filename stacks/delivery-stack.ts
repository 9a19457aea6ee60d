/** Where the dashboard's files lie: a private bucket that only the distribution in front of it may read (HB-aws-14). */

import { S3Bucket } from "#aws/s3-bucket";
import { S3BucketLifecycleConfiguration } from "#aws/s3-bucket-lifecycle-configuration";
import { S3BucketLoggingA } from "#aws/s3-bucket-logging";
import { S3BucketOwnershipControls } from "#aws/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "#aws/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "#aws/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "#aws/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "#aws/s3-bucket-versioning";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { makeDistribution } from "./distribution.js";
import { foundStack, outputOf, putOut } from "./foundation.js";

/** What a deployment replaced can be had back this long. */
const OLD_VERSION_DAYS = 30;
/** Parts of an upload that nobody finished are paid for and invisible. A week outlives any retry. */
const ABANDONED_UPLOAD_DAYS = 7;

/** Without a site nothing is made; without `cdn` only its bucket (HB-req-09). */
export function makeDeliveryStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "delivery");
  const { frontend } = policy.infrastructure;
  if (!frontend.enabled) return;
  const bucket = new S3Bucket(stack, "frontend", { bucket: frontend.bucket });
  protect(stack, bucket.id);
  forget(stack, bucket.id);
  new S3BucketLoggingA(stack, "frontend-access-logs", {
    bucket: bucket.id,
    targetBucket: outputOf(stack, policy, "network", "access_logs_bucket"),
    targetPrefix: `s3/${frontend.bucket}/`,
  });
  const distribution = frontend.cdn ? makeDistribution(stack, policy, bucket) : null;
  new S3BucketPolicy(stack, "frontend-readers", {
    bucket: bucket.id,
    policy: readers(bucket.arn, distribution?.arn ?? null),
  });
  putOut(stack, "frontend_bucket", bucket.id);
  if (distribution !== null) putOut(stack, "distribution_id", distribution.id);
}

function protect(stack: TerraformStack, bucket: string): void {
  new S3BucketPublicAccessBlock(stack, "frontend-access", {
    bucket,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  });
  new S3BucketOwnershipControls(stack, "frontend-ownership", {
    bucket,
    rule: { objectOwnership: "BucketOwnerEnforced" },
  });
  // The files are public the moment they are served: a key of our own would guard nothing.
  new S3BucketServerSideEncryptionConfigurationA(stack, "frontend-encryption", {
    bucket,
    rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
  });
  new S3BucketVersioningA(stack, "frontend-versions", {
    bucket,
    versioningConfiguration: { status: "Enabled" },
  });
}

function forget(stack: TerraformStack, bucket: string): void {
  new S3BucketLifecycleConfiguration(stack, "frontend-lifecycle", {
    bucket,
    rule: [
      {
        id: "forget-old-versions",
        status: "Enabled",
        filter: [{ prefix: "" }],
        noncurrentVersionExpiration: [{ noncurrentDays: OLD_VERSION_DAYS }],
        abortIncompleteMultipartUpload: [{ daysAfterInitiation: ABANDONED_UPLOAD_DAYS }],
      },
    ],
  });
}

/** Nobody without TLS; and of CloudFront, which is one service for all the world, only our own distribution. */
function readers(bucketArn: string, distributionArn: string | null): string {
  const distribution = {
    Sid: "OurDistribution",
    Effect: "Allow",
    Principal: { Service: "cloudfront.amazonaws.com" },
    Action: ["s3:GetObject"],
    Resource: [`${bucketArn}/*`],
    Condition: { StringEquals: { "AWS:SourceArn": distributionArn } },
  };
  const plainText = {
    Sid: "NoPlainText",
    Effect: "Deny",
    Principal: "*",
    Action: ["s3:*"],
    Resource: [bucketArn, `${bucketArn}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  const Statement = distributionArn === null ? [plainText] : [plainText, distribution];
  return JSON.stringify({ Version: "2012-10-17", Statement });
}
