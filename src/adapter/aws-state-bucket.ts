/** The bucket of Terraform's state: versions kept, encrypted, closed, by TLS only. */
import type { S3Client } from "@aws-sdk/client-s3";
import { callAws, nameOf, statusOf } from "./aws-faults.js";
import { openClient, type S3Access } from "./aws-s3.js";

export interface BucketState {
  readonly versioned: boolean;
  readonly encrypted: boolean;
  readonly closed: boolean;
  readonly tlsOnly: boolean;
}

export interface StateBucket {
  /** Null: there is none. `foreign`: it is another account's. */
  look(bucket: string, signal: AbortSignal): Promise<BucketState | null | "foreign">;
  make(bucket: string, signal: AbortSignal): Promise<void>;
  version(bucket: string, signal: AbortSignal): Promise<void>;
  encrypt(bucket: string, signal: AbortSignal): Promise<void>;
  close(bucket: string, signal: AbortSignal): Promise<void>;
  tlsOnly(bucket: string, signal: AbortSignal): Promise<void>;
}

const TIMEOUT_MS = 15_000;
const CLOSED = {
  ...{ BlockPublicAcls: true, IgnorePublicAcls: true },
  ...{ BlockPublicPolicy: true, RestrictPublicBuckets: true },
};
const VERSIONED = { VersioningConfiguration: { Status: "Enabled" } } as const;
const ENCRYPTED = {
  ServerSideEncryptionConfiguration: {
    Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" as const } }],
  },
};
/** S3 makes every new bucket there unless it is told another place, and refuses to be told this one. */
const UNNAMED_REGION = "us-east-1";

export function createStateBucket(access: S3Access & { readonly region: string }): StateBucket {
  const call = async <T>(
    subject: string,
    signal: AbortSignal,
    work: (client: S3Client, sdk: Sdk, abortSignal: AbortSignal) => Promise<T>,
  ) =>
    callAws({ system: "S3", subject, timeoutMs: TIMEOUT_MS, signal }, async (abortSignal) =>
      work(await openClient(access), await import("@aws-sdk/client-s3"), abortSignal),
    );
  const act = (work: Act) => async (bucket: string, signal: AbortSignal) => {
    await call(bucket, signal, (client, sdk, abortSignal) =>
      work({ client, sdk, ask: { abortSignal } }, bucket),
    );
  };
  return {
    look: (bucket, signal) =>
      call(bucket, signal, (client, sdk, abortSignal) => look(client, sdk, bucket, abortSignal)),
    make: act(({ client, sdk, ask }, Bucket) =>
      client.send(new sdk.CreateBucketCommand({ Bucket, ...placeOf(access.region) }), ask),
    ),
    version: act(({ client, sdk, ask }, Bucket) =>
      client.send(new sdk.PutBucketVersioningCommand({ Bucket, ...VERSIONED }), ask),
    ),
    encrypt: act(({ client, sdk, ask }, Bucket) =>
      client.send(new sdk.PutBucketEncryptionCommand({ Bucket, ...ENCRYPTED }), ask),
    ),
    close: act(({ client, sdk, ask }, Bucket) => {
      const wanted = { Bucket, PublicAccessBlockConfiguration: CLOSED };
      return client.send(new sdk.PutPublicAccessBlockCommand(wanted), ask);
    }),
    tlsOnly: act(async ({ client, sdk, ask }, Bucket) => {
      const found = await orNothing(client.send(new sdk.GetBucketPolicyCommand({ Bucket }), ask));
      const wanted = { Bucket, Policy: tlsOnlyPolicy(Bucket, found?.Policy) };
      return client.send(new sdk.PutBucketPolicyCommand(wanted), ask);
    }),
  };
}

interface Open {
  readonly client: S3Client;
  readonly sdk: Sdk;
  readonly ask: { readonly abortSignal: AbortSignal };
}
type Act = (open: Open, bucket: string) => Promise<unknown>;
type Sdk = typeof import("@aws-sdk/client-s3");

function placeOf(region: string): object {
  if (region === UNNAMED_REGION) return {};
  return { CreateBucketConfiguration: { LocationConstraint: region } };
}

async function look(
  client: S3Client,
  sdk: Sdk,
  Bucket: string,
  abortSignal: AbortSignal,
): Promise<BucketState | null | "foreign"> {
  const ask = { abortSignal };
  try {
    await client.send(new sdk.HeadBucketCommand({ Bucket }), ask);
  } catch (error) {
    if (statusOf(error) === 404) return null;
    if (statusOf(error) === 403) return "foreign";
    throw error;
  }
  const versions = await client.send(new sdk.GetBucketVersioningCommand({ Bucket }), ask);
  const rules = await orNothing(client.send(new sdk.GetBucketEncryptionCommand({ Bucket }), ask));
  const access = await orNothing(client.send(new sdk.GetPublicAccessBlockCommand({ Bucket }), ask));
  const policy = await orNothing(client.send(new sdk.GetBucketPolicyCommand({ Bucket }), ask));
  const blocked = access?.PublicAccessBlockConfiguration;
  return {
    versioned: versions.Status === "Enabled",
    encrypted: rules !== null,
    closed: Object.keys(CLOSED).every((name) => blocked?.[name as keyof typeof CLOSED] === true),
    tlsOnly: policy?.Policy?.includes("aws:SecureTransport") === true,
  };
}

/** What was never set is no error here: each of the three says so by a name of its own. */
async function orNothing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (/NotFound|NoSuch/.test(nameOf(error))) return null;
    throw error;
  }
}

/** @param there the policy that the bucket has: what somebody else has written into it stays */
function tlsOnlyPolicy(bucket: string, there: string | undefined): string {
  const own = `arn:aws:s3:::${bucket}`;
  const statement = {
    ...{ Sid: "OnlyByTls", Effect: "Deny", Principal: "*", Action: "s3:*" },
    Resource: [own, `${own}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  const before: { Version?: string; Statement?: unknown } = JSON.parse(there ?? "{}");
  const { Version = "2012-10-17", Statement = [] } = before;
  // IAM takes one statement without its list, too.
  return JSON.stringify({ ...before, Version, Statement: [Statement, statement].flat() });
}
