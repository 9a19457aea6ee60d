/** A bucket as all of ours are: private, encrypted, owned by the account, over TLS alone, and never destroyed by a plan. */

import { S3Bucket } from "#aws/s3-bucket";
import { S3BucketLifecycleConfiguration } from "#aws/s3-bucket-lifecycle-configuration";
import { S3BucketLoggingA } from "#aws/s3-bucket-logging";
import { S3BucketOwnershipControls } from "#aws/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "#aws/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "#aws/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "#aws/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "#aws/s3-bucket-versioning";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { policyDocument, type Statement } from "./statement.js";

export interface BucketOptions {
  /** Logical id, and the beginning of the ids of what belongs to it. */
  readonly id: string;
  readonly name: string;
  /** Key of ours; null: S3's own, for buckets that a service of AWS writes to or reads without our key. */
  readonly keyArn: string | null;
  readonly versioned: boolean;
  /** Objects go after so many days; null: they stay. */
  readonly expireDays: number | null;
  /** Replaced versions go after so many days; for versioned buckets. */
  readonly oldVersionDays?: number;
  /** Where its own access log goes; null for that bucket itself. */
  readonly logsTo: string | null;
  /** Beyond the refusal of plain HTTP, which every bucket has. */
  readonly statements?: readonly Statement[];
}

export function makeBucket(
  stack: TerraformStack,
  policy: PolicySet,
  options: BucketOptions,
): S3Bucket {
  return makeGuardedBucket(stack, policy, options).bucket;
}

export interface GuardedBucket {
  readonly bucket: S3Bucket;
  /** Until it stands, nobody may write who needs it to. */
  readonly policy: S3BucketPolicy;
}

/** For what depends on the policy of the bucket, too. */
export function makeGuardedBucket(
  stack: TerraformStack,
  policies: PolicySet,
  options: BucketOptions,
): GuardedBucket {
  const { id, name, versioned } = options;
  const bucket = new S3Bucket(stack, id, { bucket: name, lifecycle: { preventDestroy: true } });
  const policy = closeBucket(stack, bucket, options);
  encrypt(stack, bucket, options);
  if (versioned) {
    new S3BucketVersioningA(stack, `${id}-versions`, {
      bucket: bucket.id,
      versioningConfiguration: { status: "Enabled" },
    });
  }
  forget(stack, policies, bucket, options);
  if (options.logsTo !== null) {
    new S3BucketLoggingA(stack, `${id}-access-log`, {
      bucket: bucket.id,
      targetBucket: options.logsTo,
      targetPrefix: `s3/${id}/`,
    });
  }
  return { bucket, policy };
}

/** Nobody outside, no lists of access beside the policy, no plain HTTP. */
function closeBucket(
  stack: TerraformStack,
  bucket: S3Bucket,
  { id, statements = [] }: BucketOptions,
): S3BucketPolicy {
  const closed = new S3BucketPublicAccessBlock(stack, `${id}-access`, {
    bucket: bucket.id,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  });
  new S3BucketOwnershipControls(stack, `${id}-ownership`, {
    bucket: bucket.id,
    rule: { objectOwnership: "BucketOwnerEnforced" },
  });
  return new S3BucketPolicy(stack, `${id}-policy`, {
    bucket: bucket.id,
    policy: policyDocument([refusePlainHttp(bucket), ...statements]),
    // S3 refuses to change both at once.
    dependsOn: [closed],
  });
}

function refusePlainHttp(bucket: S3Bucket): Statement {
  return {
    Sid: "TlsOnly",
    Effect: "Deny",
    Principal: "*",
    Action: ["s3:*"],
    Resource: [bucket.arn, `${bucket.arn}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
}

function encrypt(stack: TerraformStack, bucket: S3Bucket, { id, keyArn }: BucketOptions): void {
  const rule =
    keyArn === null
      ? { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }
      : {
          applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: keyArn },
          // One key for many objects: else each object is a call to KMS that is paid for.
          bucketKeyEnabled: true,
        };
  new S3BucketServerSideEncryptionConfigurationA(stack, `${id}-encryption`, {
    bucket: bucket.id,
    rule: [rule],
  });
}

function forget(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  bucket: S3Bucket,
  { id, expireDays, oldVersionDays }: BucketOptions,
): void {
  const { abandonedUploadDays } = infrastructure.buckets;
  new S3BucketLifecycleConfiguration(stack, `${id}-lifecycle`, {
    bucket: bucket.id,
    rule: [
      {
        id: "expire",
        status: "Enabled",
        filter: [{ prefix: "" }],
        ...(expireDays === null ? {} : { expiration: [{ days: expireDays }] }),
        ...(oldVersionDays === undefined
          ? {}
          : { noncurrentVersionExpiration: [{ noncurrentDays: oldVersionDays }] }),
        abortIncompleteMultipartUpload: [{ daysAfterInitiation: abandonedUploadDays }],
      },
    ],
  });
}
