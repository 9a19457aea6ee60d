/** Where exports go: a private, encrypted bucket that forgets by itself (HB-aws-15). */

import { S3Bucket } from "#aws/s3-bucket";
import { S3BucketLifecycleConfiguration } from "#aws/s3-bucket-lifecycle-configuration";
import { S3BucketPublicAccessBlock } from "#aws/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "#aws/s3-bucket-server-side-encryption-configuration";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { foundStack } from "./foundation.js";

/** Parts of an upload that nobody finished are paid for and invisible. A week outlives any retry. */
const ABANDONED_UPLOAD_DAYS = 7;

export function makeDataStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "data");
  const bucket = new S3Bucket(stack, "exports", {
    bucket: policy.infrastructure.exportsBucket,
    lifecycle: { preventDestroy: true },
  });
  protect(stack, bucket.id);
  new S3BucketLifecycleConfiguration(stack, "exports-lifecycle", {
    bucket: bucket.id,
    rule: [
      {
        id: "expire",
        status: "Enabled",
        filter: [{ prefix: "" }],
        expiration: [{ days: policy.retention.exportsDays }],
        abortIncompleteMultipartUpload: [{ daysAfterInitiation: ABANDONED_UPLOAD_DAYS }],
      },
    ],
  });
}

function protect(stack: TerraformStack, bucket: string): void {
  new S3BucketPublicAccessBlock(stack, "exports-access", {
    bucket,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  });
  new S3BucketServerSideEncryptionConfigurationA(stack, "exports-encryption", {
    bucket,
    rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
  });
}
