/** A stand-in for S3: objects with versions and conditional writes, as far as bundles need them. */
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
}

export interface StandInS3 extends Pick<Loopback, "url" | "misbehave" | "close"> {
  /** `bucket/key` to what is there now. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** As somebody else would write it, past all conditions. */
  place(path: string, text: string): StoredObject;
  remove(path: string): void;
}

/** @param buckets those that there are; any other is `NoSuchBucket` */
export async function startStandInS3(buckets: readonly string[]): Promise<StandInS3> {
  const objects = new Map<string, StoredObject>();
  let versions = 0;
  const place = (path: string, text: string): StoredObject => {
    versions++;
    const etag = `"${createHash("md5").update(text).digest("hex")}"`;
    const stored = { text, etag, version: `v${versions}` };
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
    if (request.method === "GET") return get(request, present);
    if (request.method !== "PUT") return refusal(405, "MethodNotAllowed");
    return objectionTo(request, present) ?? { ...answer(place(path, request.body)), body: "" };
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

function refusal(status: number, code: string): LoopbackAnswer {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}
