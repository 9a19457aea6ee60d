/**
 * Credentials that may write exports below one place of one bucket and nothing else, an hour each, for workers that must
 * not have ours (STS AssumeRole with a session policy: what it does not name is refused, whatever the role may).
 */
import { fault } from "../base/fault.js";
import { SecretText } from "../base/secret-text.js";
import { type AwsCall, callAws } from "./aws-faults.js";
import { openClient, type S3Access } from "./aws-s3.js";

export interface LendBucketOptions extends S3Access {
  /** `EXPORT_AWS_ROLE_ARN`. Null: there is none to assume, and ours are lent as they are. */
  readonly roleArn: string | null;
  readonly bucket: string;
  /** Without a slash at either end; empty: the whole bucket. */
  readonly prefix: string;
  /** Milliseconds for one call. */
  readonly timeoutMs?: number;
}

export interface BucketLoan {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretText;
  readonly sessionToken: SecretText | null;
  /** Null: they end when a person ends them. */
  readonly expiresAt: Date | null;
}

const TIMEOUT_MS = 10_000;
/** As long as STS gives a role that was assumed by a role. */
const SESSION_SECONDS = 3_600;
/** Parts are written, listed and given up; the whole is looked at once it is there (HeadObject is allowed by GetObject). */
const ACTIONS = [
  "s3:PutObject",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
  "s3:GetObject",
];

/** New ones each time. Throws a Fault as `callAws` does. */
export function createBucketLender(
  options: LendBucketOptions,
): (signal: AbortSignal) => Promise<BucketLoan> {
  const { roleArn } = options;
  if (roleArn === null) return (signal) => findOwn(options, signal);
  return (signal) => assume(options, roleArn, signal);
}

async function assume(
  options: LendBucketOptions,
  roleArn: string,
  signal: AbortSignal,
): Promise<BucketLoan> {
  const { AssumeRoleCommand, STSClient } = await import("@aws-sdk/client-sts");
  const client = new STSClient(settingsOf(options));
  const command = new AssumeRoleCommand({
    ...{ RoleArn: roleArn, RoleSessionName: "algobrain-exports" },
    ...{ DurationSeconds: SESSION_SECONDS, Policy: policyOf(options, roleArn) },
  });
  try {
    const call = callOf(options, roleArn, signal);
    const answer = await callAws(call, (abortSignal) => client.send(command, { abortSignal }));
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
      throw fault.transient("AWS_ANSWER_INVALID", `it gave no credentials of ${roleArn}`);
    return {
      ...{ accessKeyId: AccessKeyId, secretAccessKey: new SecretText(SecretAccessKey) },
      ...{ sessionToken: new SecretText(SessionToken), expiresAt: Expiration },
    };
  } finally {
    client.destroy();
  }
}

/** As the SDK finds them for us: those of a task's role end within hours, and the SDK has others by then. */
async function findOwn(options: LendBucketOptions, signal: AbortSignal): Promise<BucketLoan> {
  const client = await openClient(options);
  try {
    const call = callOf(options, "our own credentials", signal);
    const found = await callAws(call, () => client.config.credentials());
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = found;
    return {
      ...{ accessKeyId, secretAccessKey: new SecretText(secretAccessKey) },
      sessionToken: sessionToken === undefined ? null : new SecretText(sessionToken),
      expiresAt: expiration ?? null,
    };
  } finally {
    client.destroy();
  }
}

/** What comes back is secret. */
function callOf(options: LendBucketOptions, subject: string, signal: AbortSignal): AwsCall {
  const { timeoutMs = TIMEOUT_MS } = options;
  return { system: "AWS", subject, signal, timeoutMs, isSecret: true };
}

function settingsOf({ region, endpointUrl, credentials }: LendBucketOptions) {
  return {
    ...(region === null ? {} : { region }),
    ...(endpointUrl === null ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
    // Whoever calls tries again: a hidden second try would outlive the deadline.
    maxAttempts: 1,
  };
}

/** The partition is the role's: buckets in China and in the government's cloud have another than `aws`. */
function policyOf({ bucket, prefix }: LendBucketOptions, roleArn: string): string {
  const [, partition = "aws"] = roleArn.split(":");
  const place = prefix === "" ? "*" : `${prefix}/*`;
  const Resource = [`arn:${partition}:s3:::${bucket}/${place}`];
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ACTIONS, Resource }],
  });
}
