/** A stand-in for S3: objects with versions, conditional writes, locks and uploads in parts, as far as we need them. */
import { createHash } from "node:crypto";
import {
  type Loopback,
  type LoopbackAnswer,
  type LoopbackRequest,
  startLoopback,
} from "./loopback.js";
import { s3Answer, s3Refusal } from "./s3-answers.js";
import { createS3Uploads, type S3Uploads } from "./s3-uploads.js";

export interface StoredObject {
  readonly bytes: Buffer;
  /** `bytes` as UTF-8. */
  readonly text: string;
  /** In quotes, as S3 gives it. */
  readonly etag: string;
  readonly version: string;
  /** Nobody may replace or remove it before this time; null: unlocked. */
  readonly lockedUntil: Date | null;
  /** Composite SHA-256 of what came in parts; null: it came whole. */
  readonly checksum: string | null;
}

export interface StandInS3 extends Pick<Loopback, "url" | "misbehave" | "close"> {
  /** `bucket/key` to what is there now. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** As somebody else would write it, past all conditions. */
  place(path: string, text: string, lockedUntil?: Date | null): StoredObject;
  remove(path: string): void;
  readonly uploads: Pick<S3Uploads, "open" | "forget">;
}

/** A part of an upload at most, here. */
const BODY_MAX_BYTES = 64 * 1_048_576;
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const PART_BYTES_MIN = 5 * 1_048_576;

/** @param buckets those that there are; any other is `NoSuchBucket` */
export async function startStandInS3(
  buckets: readonly string[],
  partBytesMin = PART_BYTES_MIN,
): Promise<StandInS3> {
  const objects = new Map<string, StoredObject>();
  let versions = 0;
  const keep = (
    path: string,
    bytes: Buffer,
    { lockedUntil = null, checksum = null }: Partial<StoredObject>,
  ): StoredObject => {
    versions++;
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    const stored = {
      ...{ bytes, etag, version: `v${versions}`, lockedUntil, checksum },
      get text() {
        return bytes.toString("utf8");
      },
    };
    objects.set(path, stored);
    return stored;
  };
  const place = (path: string, text: string, lockedUntil: Date | null = null) =>
    keep(path, Buffer.from(text), { lockedUntil });
  const uploads = createS3Uploads({
    partBytesMin,
    place: (path, bytes, checksum) => void keep(path, bytes, { checksum }),
  });
  const loopback = await startLoopback((request) => {
    const path = decodeURIComponent(request.path.slice(1));
    if (!buckets.includes(path.split("/")[0]!)) return s3Refusal(404, "NoSuchBucket");
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) {
      return s3Refusal(403, "AccessDenied");
    }
    const present = objects.get(path);
    if (request.query.has("versions")) return listVersions(request, objects);
    const ofUpload = uploads.answer(request, path);
    if (ofUpload !== null) return ofUpload;
    if (request.method === "GET" || request.method === "HEAD") return get(request, present);
    if (request.method !== "PUT") return s3Refusal(405, "MethodNotAllowed");
    const objection = objectionTo(request, present) ?? objectionToLock(request);
    if (objection) return objection;
    return { ...answer(keep(path, request.bytes, { lockedUntil: lockOf(request) })), body: "" };
  }, BODY_MAX_BYTES);
  return {
    ...{ url: loopback.url, misbehave: loopback.misbehave, close: loopback.close },
    ...{ objects, uploads, place, remove: (path) => void objects.delete(path) },
  };
}

function get({ headers }: LoopbackRequest, present: StoredObject | undefined): LoopbackAnswer {
  if (!present) return s3Refusal(404, "NoSuchKey");
  if (headers["if-none-match"] === present.etag) return { status: 304, body: "" };
  return answer(present);
}

function answer({ text, etag, version, checksum }: StoredObject): LoopbackAnswer {
  const headers: Record<string, string> = { etag, "x-amz-version-id": version };
  if (checksum !== null) headers["x-amz-checksum-sha256"] = checksum;
  return { status: 200, headers, body: text };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
function objectionTo(
  { headers }: LoopbackRequest,
  present: StoredObject | undefined,
): LoopbackAnswer | null {
  if (headers["if-none-match"] === "*" && present) return s3Refusal(412, "PreconditionFailed");
  const expected = headers["if-match"];
  if (expected === undefined) return null;
  if (!present) return s3Refusal(404, "NoSuchKey");
  return expected === present.etag ? null : s3Refusal(412, "PreconditionFailed");
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: a lock wants a digest of the body beside it. */
function objectionToLock({ headers }: LoopbackRequest): LoopbackAnswer | null {
  if (headers["x-amz-object-lock-mode"] === undefined) return null;
  const names = Object.keys(headers);
  const isDigested = names.some((name) =>
    /^(content-md5$|x-amz-checksum-|x-amz-trailer$)/.test(name),
  );
  return isDigested ? null : s3Refusal(400, "InvalidRequest");
}

function lockOf({ headers }: LoopbackRequest): Date | null {
  const until = headers["x-amz-object-lock-retain-until-date"];
  const isLocked = headers["x-amz-object-lock-mode"] === "COMPLIANCE" && typeof until === "string";
  return isLocked ? new Date(until) : null;
}

const KEYS_A_PAGE = 3;

/** Short pages, so that whoever reads only the first is found out. */
function listVersions(
  { path, query }: LoopbackRequest,
  objects: ReadonlyMap<string, StoredObject>,
): LoopbackAnswer {
  const bucket = path.split("/")[1]!;
  const prefix = query.get("prefix") ?? "";
  const keys = [...objects.keys()]
    .filter((at) => at.startsWith(`${bucket}/${prefix}`))
    .map((at) => at.slice(bucket.length + 1))
    .sort()
    .filter((key) => key > (query.get("key-marker") ?? ""));
  const page = keys.slice(0, KEYS_A_PAGE);
  const isTruncated = keys.length > page.length;
  const versions = page.map((key) => {
    const { version } = objects.get(`${bucket}/${key}`)!;
    return `<Version><Key>${key}</Key><VersionId>${version}</VersionId><IsLatest>true</IsLatest></Version>`;
  });
  const next = isTruncated ? `<NextKeyMarker>${page.at(-1)}</NextKeyMarker>` : "";
  return s3Answer(
    "ListVersionsResult",
    `<IsTruncated>${isTruncated}</IsTruncated>${next}${versions.join("")}`,
  );
}
