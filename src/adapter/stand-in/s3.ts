/** A stand-in for S3: objects with versions, conditional writes and locks, as far as bundles and anchors need them. */
import { createHash } from "node:crypto";
import {
  type Loopback,
  type LoopbackAnswer,
  type LoopbackRequest,
  startLoopback,
} from "./loopback.js";

export interface StoredObject {
  readonly text: string;
  /** In quotes, as S3 gives it. */
  readonly etag: string;
  readonly version: string;
  /** Nobody may replace or remove it before this time; null: unlocked. */
  readonly lockedUntil: Date | null;
}

export interface StandInS3 extends Pick<Loopback, "url" | "misbehave" | "close"> {
  /** `bucket/key` to what is there now. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** As somebody else would write it, past all conditions. */
  place(path: string, text: string, lockedUntil?: Date | null): StoredObject;
  remove(path: string): void;
}

/** @param buckets those that there are; any other is `NoSuchBucket` */
export async function startStandInS3(buckets: readonly string[]): Promise<StandInS3> {
  const objects = new Map<string, StoredObject>();
  let versions = 0;
  const place = (path: string, text: string, lockedUntil: Date | null = null): StoredObject => {
    versions++;
    const etag = `"${createHash("md5").update(text).digest("hex")}"`;
    const stored = { text, etag, version: `v${versions}`, lockedUntil };
    objects.set(path, stored);
    return stored;
  };
  const loopback = await startLoopback((request) => {
    const path = decodeURIComponent(request.path.slice(1));
    if (!buckets.includes(path.split("/")[0]!)) return refusal(404, "NoSuchBucket");
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) {
      return refusal(403, "AccessDenied");
    }
    const present = objects.get(path);
    if (request.query.has("versions")) return listVersions(request, objects);
    if (request.method === "GET") return get(request, present);
    if (request.method !== "PUT") return refusal(405, "MethodNotAllowed");
    const objection = objectionTo(request, present) ?? objectionToLock(request);
    return objection ?? { ...answer(place(path, request.body, lockOf(request))), body: "" };
  });
  return {
    ...{ url: loopback.url, misbehave: loopback.misbehave, close: loopback.close },
    ...{ objects, place, remove: (path) => void objects.delete(path) },
  };
}

function get({ headers }: LoopbackRequest, present: StoredObject | undefined): LoopbackAnswer {
  if (!present) return refusal(404, "NoSuchKey");
  if (headers["if-none-match"] === present.etag) return { status: 304, body: "" };
  return answer(present);
}

function answer({ text, etag, version }: StoredObject): LoopbackAnswer {
  return { status: 200, headers: { etag, "x-amz-version-id": version }, body: text };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
function objectionTo(
  { headers }: LoopbackRequest,
  present: StoredObject | undefined,
): LoopbackAnswer | null {
  if (headers["if-none-match"] === "*" && present) return refusal(412, "PreconditionFailed");
  const expected = headers["if-match"];
  if (expected === undefined) return null;
  if (!present) return refusal(404, "NoSuchKey");
  return expected === present.etag ? null : refusal(412, "PreconditionFailed");
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: a lock wants a digest of the body beside it. */
function objectionToLock({ headers }: LoopbackRequest): LoopbackAnswer | null {
  if (headers["x-amz-object-lock-mode"] === undefined) return null;
  const names = Object.keys(headers);
  const isDigested = names.some((name) =>
    /^(content-md5$|x-amz-checksum-|x-amz-trailer$)/.test(name),
  );
  return isDigested ? null : refusal(400, "InvalidRequest");
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
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult><IsTruncated>${isTruncated}</IsTruncated>${next}${versions.join("")}</ListVersionsResult>`,
  };
}

function refusal(status: number, code: string): LoopbackAnswer {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}
