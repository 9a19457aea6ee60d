/**
 * An object in S3 as the place of bundles: the object itself is the newest, changed only on top of the version that
 * its writer has seen; beside it, `<key>.d/` keeps every revision under its own name.
 */
import { createHash } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { Fault, fault } from "../base/fault.js";
import type { BundleSource, BundleTarget } from "../review/port.js";
import type { AwsCredentials } from "./aws-clients.js";
import { type AwsCall, callAws, statusOf } from "./aws-faults.js";

/** How S3 is reached. */
export interface S3Access {
  /** Null: where the SDK finds one (AWS_REGION, a profile). */
  readonly region: string | null;
  /** Null: AWS's own. Another one is asked with the bucket in the path, as S3's stand-ins want it. */
  readonly endpointUrl: string | null;
  /** By default those that the SDK finds: environment, profile, role. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>);
}

export interface S3BundlesOptions extends S3Access {
  readonly bucket: string;
  readonly key: string;
  /** Of a larger object one byte more is read than this, so that the reader sees that it is too large. */
  readonly bytesMax: number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

interface Bucket extends S3BundlesOptions {
  /** Made at the first call: loading the SDK takes a tenth of a second and 64 MB. */
  client(): Promise<S3Client>;
}

export function createS3Bundles(options: S3BundlesOptions): BundleSource & BundleTarget {
  const bucket: Bucket = { ...options, client: once(() => openClient(options)) };
  return {
    name: nameOf(options),
    fetch: (known, signal) => fetchObject(bucket, known, signal),
    put: (envelope, expect, signal) => putNext(bucket, envelope, expect, signal),
  };
}

function nameOf({ bucket, key }: Pick<S3BundlesOptions, "bucket" | "key">): string {
  return `s3://${bucket}/${key}`;
}

/** The same over all calls; made at the first. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

export async function openClient(options: S3Access): Promise<S3Client> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const { region, endpointUrl, credentials } = options;
  return new S3Client({
    ...(region === null ? {} : { region }),
    ...(endpointUrl === null ? {} : { endpoint: endpointUrl, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // Whoever calls tries again: a hidden second try would outlive the deadline.
    maxAttempts: 1,
  });
}

function callOf(bucket: Bucket, subject: string, signal: AbortSignal): AwsCall {
  return { system: "S3", subject, signal, timeoutMs: bucket.timeoutMs ?? TIMEOUT_MS };
}

/** Null when there is no object, or still the known one. */
async function fetchObject(
  bucket: Bucket,
  known: string | null,
  signal: AbortSignal,
): Promise<{ text: string; tag: string } | null> {
  return callAws(callOf(bucket, nameOf(bucket), signal), async (abortSignal) => {
    const { GetObjectCommand } = await import("@aws-sdk/client-s3");
    const client = await bucket.client();
    const asked = { Bucket: bucket.bucket, Key: bucket.key };
    const command = new GetObjectCommand(known === null ? asked : { ...asked, IfNoneMatch: known });
    try {
      const { Body, ETag } = await client.send(command, { abortSignal });
      const text = await readBounded(Body as Readable, bucket.bytesMax, abortSignal);
      return { text, tag: ETag ?? createHash("sha256").update(text).digest("hex") };
    } catch (error) {
      const missing = error instanceof Error && error.name === "NoSuchKey";
      if (missing || statusOf(error) === 304) return null;
      throw error;
    }
  });
}

async function readBounded(body: Readable, bytesMax: number, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop early ends the stream, so an endless object is not read to its end.
  for await (const chunk of addAbortSignal(signal, body) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(chunks)
    .subarray(0, bytesMax + 1)
    .toString("utf8");
}

async function putNext(
  bucket: Bucket,
  { text, revision }: { readonly text: string; readonly revision: number },
  expect: string | null,
  signal: AbortSignal,
): Promise<{ tag: string; version: string | null }> {
  // First, so that no revision is ever current that is not kept; the digest keeps those apart who race for one number.
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 8);
  await putObject(
    bucket,
    { Key: `${bucket.key}.d/${revision}-${digest}.json`, Body: text },
    signal,
  );
  const onTop = expect === null ? { IfNoneMatch: "*" } : { IfMatch: expect };
  try {
    return await putObject(bucket, { Key: bucket.key, Body: text, ...onTop }, signal);
  } catch (error) {
    if (!wasBeaten(error)) throw error;
    const present = await fetchObject(bucket, null, signal);
    // An answer that was lost on its way: the object is ours.
    if (present?.text === text) return { tag: present.tag, version: null };
    throw fault.refused(
      "POLICY_PUBLISH_RACED",
      `${nameOf(bucket)}: another has published while revision ${revision} was made`,
      { hint: "publish again: the next revision goes on top of it", cause: error },
    );
  }
}

/** 412: another version is there. 409: another is being written. 404: the version that was seen has gone. */
function wasBeaten(error: unknown): boolean {
  return error instanceof Fault && [404, 409, 412].includes(Number(error.details.status));
}

async function putObject(
  bucket: Bucket,
  object: {
    readonly Key: string;
    readonly Body: string;
    readonly IfMatch?: string;
    readonly IfNoneMatch?: string;
  },
  signal: AbortSignal,
): Promise<{ tag: string; version: string | null }> {
  return callAws(
    callOf(bucket, `s3://${bucket.bucket}/${object.Key}`, signal),
    async (abortSignal) => {
      const { PutObjectCommand } = await import("@aws-sdk/client-s3");
      const client = await bucket.client();
      const put = { Bucket: bucket.bucket, ContentType: "application/json", ...object };
      const { ETag, VersionId } = await client.send(new PutObjectCommand(put), { abortSignal });
      return { tag: ETag ?? "", version: VersionId ?? null };
    },
  );
}
