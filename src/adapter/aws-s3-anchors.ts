/**
 * A bucket with Object Lock as the place of anchors: in mode COMPLIANCE not even the account's root may remove or
 * replace an object before its time (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html). Hiding
 * one behind a delete marker is still allowed, so versions are listed and not objects.
 */
import type { ListObjectVersionsCommandOutput, S3Client } from "@aws-sdk/client-s3";
import type { AnchorPlace } from "../runbook/port.js";
import { type AwsCall, callAws, statusOf } from "./aws-faults.js";
import { once, openClient, type S3Access } from "./aws-s3.js";

export interface S3AnchorsOptions extends S3Access {
  readonly bucket: string;
  /** Without a slash at its end; empty: the bucket itself. */
  readonly prefix: string;
  readonly now: () => Date;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** Longer than any audit entry is kept; a lock cannot be shortened afterwards. */
const RETAIN_MS = 400 * 86_400_000;

export function createS3Anchors(options: S3AnchorsOptions): AnchorPlace {
  const { bucket, prefix } = options;
  const client = once(() => openClient(options));
  const folder = prefix === "" ? "" : `${prefix}/`;
  const callOf = (subject: string, signal: AbortSignal): AwsCall => ({
    ...{ system: "S3", subject, signal, timeoutMs: options.timeoutMs ?? TIMEOUT_MS },
  });
  return {
    place: `s3://${bucket}/${prefix}`,
    put: (name, text, signal) =>
      callAws(callOf(`s3://${bucket}/${folder}${name}`, signal), async (abortSignal) =>
        putLocked(await client(), { ...options, key: `${folder}${name}`, text, abortSignal }),
      ),
    list: (signal) =>
      callAws(callOf(`s3://${bucket}/${folder}`, signal), async (abortSignal) => {
        const keys = await listKeys(await client(), { bucket, folder, abortSignal });
        return [...new Set(keys.map((key) => key.slice(folder.length)))];
      }),
  };
}

async function putLocked(
  client: S3Client,
  object: {
    readonly bucket: string;
    readonly key: string;
    readonly text: string;
    readonly now: () => Date;
    readonly abortSignal: AbortSignal;
  },
): Promise<"stored" | "exists"> {
  const { PutObjectCommand } = await import("@aws-sdk/client-s3");
  const command = new PutObjectCommand({
    Bucket: object.bucket,
    Key: object.key,
    Body: object.text,
    ContentType: "application/json",
    IfNoneMatch: "*",
    ObjectLockMode: "COMPLIANCE",
    ObjectLockRetainUntilDate: new Date(object.now().getTime() + RETAIN_MS),
  });
  try {
    await client.send(command, { abortSignal: object.abortSignal });
    return "stored";
  } catch (error) {
    if (statusOf(error) === 412) return "exists";
    throw error;
  }
}

async function listKeys(
  client: S3Client,
  at: { readonly bucket: string; readonly folder: string; readonly abortSignal: AbortSignal },
): Promise<string[]> {
  const { ListObjectVersionsCommand } = await import("@aws-sdk/client-s3");
  const keys: string[] = [];
  let page: ListObjectVersionsCommandOutput | null = null;
  do {
    const marker: { KeyMarker?: string; VersionIdMarker?: string } = {
      ...(page?.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }),
      ...(page?.NextVersionIdMarker === undefined
        ? {}
        : { VersionIdMarker: page.NextVersionIdMarker }),
    };
    const command = new ListObjectVersionsCommand({
      Bucket: at.bucket,
      Prefix: at.folder,
      ...marker,
    });
    page = await client.send(command, { abortSignal: at.abortSignal });
    keys.push(...(page.Versions ?? []).flatMap(({ Key }) => Key ?? []));
  } while (page.IsTruncated === true);
  return keys;
}
