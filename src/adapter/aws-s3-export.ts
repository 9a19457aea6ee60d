/**
 * A bucket as the place of exports, by multipart uploads: each part is checked by S3 against its SHA-256 where it arrives,
 * and the object appears when all are joined. An upload that nobody ends is removed by the bucket's lifecycle rule.
 */
import type {
  CompletedPart,
  ListPartsCommandOutput,
  S3Client,
  UploadPartCommandInput,
} from "@aws-sdk/client-s3";
import { compositeSha256 } from "../base/composite-sha256.js";
import { type Fault, fault } from "../base/fault.js";
import type { ExportedPart, ExportTarget } from "../job/export-port.js";
import { callAws, nameOf } from "./aws-faults.js";
import { once, openClient, type S3Access } from "./aws-s3.js";

export interface S3ExportOptions extends S3Access {
  readonly bucket: string;
  /** Without a slash at its end; empty: the bucket itself. */
  readonly prefix: string;
  /** Milliseconds for a part, and for joining them; a small call takes a tenth of it at most. */
  readonly timeoutMs?: number;
}

/** A part of 32 MiB at 1.1 Mbit/s; S3 itself may take minutes to join ten thousand. */
const TIMEOUT_MS = 240_000;
const PARTS_A_PAGE = 1_000;

type Put = Parameters<ExportTarget["put"]>[1];
type Asked = Parameters<ExportTarget["complete"]>[1];

/** The object and the upload that a call is about. */
interface Upload {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

type Call = <T>(
  key: string,
  signal: AbortSignal,
  work: (client: S3Client, abortSignal: AbortSignal) => Promise<T>,
  isSmall?: boolean,
) => Promise<T>;

/** An upload's id is `<key>#<id of S3>`. Throws the faults of `callAws`, and EXPORT_UPLOAD_GONE. */
export function createS3Export(options: S3ExportOptions): ExportTarget {
  const { bucket, prefix, timeoutMs = TIMEOUT_MS } = options;
  const client = once(() => openClient(options));
  const call: Call = (key, signal, work, isSmall = true) =>
    callAws(
      {
        ...{ system: "S3", subject: `s3://${bucket}/${key}`, signal },
        timeoutMs: isSmall ? timeoutMs / 10 : timeoutMs,
      },
      async (abortSignal) => work(await client(), abortSignal),
    );
  const keyOf = (name: string) => (prefix === "" ? name : `${prefix}/${name}`);
  return {
    name: prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`,
    begin: (name, signal) => begin(call, { Bucket: bucket, Key: keyOf(name) }, signal),
    put: (upload, part, signal) => put(call, uploadOf(bucket, upload), part, signal),
    parts: (upload, signal) => listParts(call, uploadOf(bucket, upload), signal),
    complete: (upload, parts, signal) => complete(call, uploadOf(bucket, upload), parts, signal),
    abort: (upload, signal) => abort(call, uploadOf(bucket, upload), signal),
    writeSmall: (name, text, signal) =>
      writeSmall(call, { Bucket: bucket, Key: keyOf(name), Body: text }, signal),
  };
}

function uploadOf(bucket: string, upload: string): Upload {
  const at = upload.lastIndexOf("#");
  return { Bucket: bucket, Key: upload.slice(0, at), UploadId: upload.slice(at + 1) };
}

async function begin(
  call: Call,
  object: { readonly Bucket: string; readonly Key: string },
  signal: AbortSignal,
): Promise<string> {
  return call(object.Key, signal, async (client, abortSignal) => {
    const { CreateMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({
        ...{ ...object, ContentType: "application/gzip" },
        ...{ ChecksumAlgorithm: "SHA256", ChecksumType: "COMPOSITE" },
      }),
      { abortSignal },
    );
    if (!UploadId) throw fault.transient("S3_ANSWER_INVALID", "it named no upload");
    return `${object.Key}#${UploadId}`;
  });
}

async function put(
  call: Call,
  upload: Upload,
  { number, bytes, sha256 }: Put,
  signal: AbortSignal,
): Promise<{ etag: string }> {
  const part: UploadPartCommandInput = {
    ...{ ...upload, PartNumber: number, Body: bytes, ContentLength: bytes.length },
    ChecksumSHA256: base64Of(sha256),
  };
  const send = async (client: S3Client, abortSignal: AbortSignal) => {
    const { UploadPartCommand } = await import("@aws-sdk/client-s3");
    const answer = await client
      .send(new UploadPartCommand(part), { abortSignal })
      .catch((error: unknown) => {
        throw meaningOf(error, upload, number);
      });
    if (!answer.ETag) throw fault.transient("S3_ANSWER_INVALID", `it gave part ${number} no tag`);
    return { etag: answer.ETag };
  };
  return call(upload.Key, signal, send, false);
}

/** What S3 says of a part that did not arrive as it was sent. */
const DAMAGED = /^(BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch)$/;

function meaningOf(error: unknown, { Key }: Upload, number: number): unknown {
  const name = nameOf(error);
  if (name === "NoSuchUpload") return gone(Key);
  if (!DAMAGED.test(name)) return error;
  return fault.transient(
    "EXPORT_PART_DAMAGED",
    `part ${number} of ${Key} did not arrive as it was sent: ${name}`,
  );
}

/** In order; null when there is no such upload. */
async function listParts(
  call: Call,
  upload: Upload,
  signal: AbortSignal,
): Promise<ExportedPart[] | null> {
  const parts: ExportedPart[] = [];
  let marker: string | undefined;
  do {
    const page = await call(upload.Key, signal, (client, abortSignal) =>
      listPage(client, upload, marker, abortSignal),
    );
    if (page === null) return null;
    for (const { PartNumber = 0, Size = 0, ETag = "" } of page.Parts ?? [])
      parts.push({ number: PartNumber, bytes: Size, etag: ETag });
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return parts;
}

async function listPage(
  client: S3Client,
  upload: Upload,
  marker: string | undefined,
  abortSignal: AbortSignal,
): Promise<ListPartsCommandOutput | null> {
  const { ListPartsCommand } = await import("@aws-sdk/client-s3");
  const from = marker === undefined ? {} : { PartNumberMarker: marker };
  const command = new ListPartsCommand({ ...upload, ...from, MaxParts: PARTS_A_PAGE });
  try {
    return await client.send(command, { abortSignal });
  } catch (error) {
    if (nameOf(error) === "NoSuchUpload") return null;
    throw error;
  }
}

/** What S3 says of an upload whose parts it has no longer, or has others in their place. */
const LOST = /^(NoSuchUpload|InvalidPart|InvalidPartOrder)$/;

/**
 * Amazon's S3 answers a second completion as it answered the first; others say NoSuchUpload
 * (https://github.com/minio/minio/issues/13318), so the object itself is asked.
 */
async function complete(
  call: Call,
  upload: Upload,
  asked: Asked,
  signal: AbortSignal,
): Promise<{ checksum: string | null; sha256: null }> {
  const parts = asked.map(({ number, etag, sha256 }) => ({
    ...{ PartNumber: number, ETag: etag, ChecksumSHA256: base64Of(sha256) },
  }));
  const join = async (client: S3Client, abortSignal: AbortSignal) => {
    try {
      return await sendComplete(client, upload, parts, abortSignal);
    } catch (error) {
      if (!LOST.test(nameOf(error))) throw error;
      const expected = compositeSha256(asked.map(({ sha256 }) => sha256));
      if ((await checksumOf(client, upload, abortSignal)) === expected) return expected;
      throw gone(upload.Key);
    }
  };
  return { checksum: await call(upload.Key, signal, join, false), sha256: null };
}

async function sendComplete(
  client: S3Client,
  upload: Upload,
  parts: CompletedPart[],
  abortSignal: AbortSignal,
): Promise<string | null> {
  const { CompleteMultipartUploadCommand } = await import("@aws-sdk/client-s3");
  const command = new CompleteMultipartUploadCommand({
    ...{ ...upload, ChecksumType: "COMPOSITE", MultipartUpload: { Parts: parts } },
  });
  const { ChecksumSHA256 } = await client.send(command, { abortSignal });
  return ChecksumSHA256 ?? null;
}

/** Null: no object, none that we may read, or one without a checksum. */
async function checksumOf(
  client: S3Client,
  { Bucket, Key }: Upload,
  abortSignal: AbortSignal,
): Promise<string | null> {
  const { HeadObjectCommand } = await import("@aws-sdk/client-s3");
  const command = new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" });
  try {
    return (await client.send(command, { abortSignal })).ChecksumSHA256 ?? null;
  } catch (error) {
    // A role that may only write gets 403 for what is there and for what is not: the upload then begins anew.
    if (/^(NotFound|NoSuchKey|Forbidden|AccessDenied|403|404)$/.test(nameOf(error))) return null;
    throw error;
  }
}

async function abort(call: Call, upload: Upload, signal: AbortSignal): Promise<void> {
  await call(upload.Key, signal, async (client, abortSignal) => {
    const { AbortMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    try {
      await client.send(new AbortMultipartUploadCommand(upload), { abortSignal });
    } catch (error) {
      if (nameOf(error) !== "NoSuchUpload") throw error;
    }
  });
}

async function writeSmall(
  call: Call,
  object: { readonly Bucket: string; readonly Key: string; readonly Body: string },
  signal: AbortSignal,
): Promise<void> {
  await call(object.Key, signal, async (client, abortSignal) => {
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    const put = {
      ...object,
      ContentType: "application/json",
      ChecksumAlgorithm: "SHA256" as const,
    };
    await client.send(new PutObjectCommand(put), { abortSignal });
  });
}

function base64Of(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

function gone(key: string): Fault {
  return fault.transient("EXPORT_UPLOAD_GONE", `the upload of ${key} is no longer there`, {
    hint: "the next attempt begins anew; look who else aborts uploads in that bucket",
  });
}
