/** Multipart uploads of the stand-in for S3, as its documentation tells them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html */
import { createHash } from "node:crypto";
import { compositeSha256 } from "../../base/composite-sha256.js";
import type { LoopbackAnswer, LoopbackRequest } from "./loopback.js";
import { s3Answer, s3Refusal } from "./s3-answers.js";

interface Part {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly sha256: string;
}

interface OpenUpload {
  readonly path: string;
  readonly parts: Map<number, Part>;
}

export interface S3Uploads {
  /** Null: the request is about no upload. */
  answer(request: LoopbackRequest, path: string): LoopbackAnswer | null;
  /** Ids of those that were begun and neither completed nor aborted. */
  open(): string[];
  /** As a lifecycle rule does it. */
  forget(): void;
}

export interface S3UploadOptions {
  /** Of every part but the last; S3's is 5 MiB. */
  readonly partBytesMin: number;
  readonly place: (path: string, bytes: Buffer, checksum: string) => void;
}

/** Short pages, so that whoever reads only the first is found out. */
const PARTS_A_PAGE = 2;

export function createS3Uploads({ partBytesMin, place }: S3UploadOptions): S3Uploads {
  const uploads = new Map<string, OpenUpload>();
  let begun = 0;
  const begin = (path: string) => {
    begun++;
    const id = `upload-${begun}`;
    uploads.set(id, { path, parts: new Map() });
    return s3Answer("InitiateMultipartUploadResult", `<UploadId>${id}</UploadId>`);
  };
  const complete = (id: string, upload: OpenUpload, request: LoopbackRequest) => {
    const asked = [...request.body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => part!);
    const parts = asked.map((part) => chosen(upload, part));
    if (parts.length === 0) return s3Refusal(400, "MalformedXML");
    if (parts.some((part) => part === null)) return s3Refusal(400, "InvalidPart");
    const whole = parts.flatMap((part) => part ?? []);
    if (whole.slice(0, -1).some(({ bytes }) => bytes.length < partBytesMin))
      return s3Refusal(400, "EntityTooSmall");
    uploads.delete(id);
    const checksum = compositeSha256(whole.map(({ sha256 }) => sha256));
    place(upload.path, Buffer.concat(whole.map(({ bytes }) => bytes)), checksum);
    return s3Answer(
      "CompleteMultipartUploadResult",
      `<ChecksumSHA256>${checksum}</ChecksumSHA256>`,
    );
  };
  const ofUpload = (request: LoopbackRequest, path: string, id: string) => {
    const upload = uploads.get(id);
    if (upload?.path !== path) return s3Refusal(404, "NoSuchUpload");
    if (request.method === "PUT") return putPart(upload, request);
    if (request.method === "GET") return listParts(upload, request);
    if (request.method === "POST") return complete(id, upload, request);
    uploads.delete(id);
    return { status: 204, body: "" };
  };
  return {
    answer: (request, path) => {
      if (request.method === "POST" && request.query.has("uploads")) return begin(path);
      const id = request.query.get("uploadId");
      return id === null ? null : ofUpload(request, path, id);
    },
    open: () => [...uploads.keys()],
    forget: () => uploads.clear(),
  };
}

function putPart(upload: OpenUpload, { bytes, headers, query }: LoopbackRequest): LoopbackAnswer {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const stated = headers["x-amz-checksum-sha256"];
  if (stated !== Buffer.from(sha256, "hex").toString("base64")) return s3Refusal(400, "BadDigest");
  const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
  upload.parts.set(Number(query.get("partNumber")), { bytes, etag, sha256 });
  return { status: 200, headers: { etag, "x-amz-checksum-sha256": stated }, body: "" };
}

function listParts({ parts }: OpenUpload, { query }: LoopbackRequest): LoopbackAnswer {
  const after = Number(query.get("part-number-marker") ?? 0);
  const rest = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
  const page = rest.slice(0, PARTS_A_PAGE);
  const items = page.map(
    ([number, { bytes, etag }]) =>
      `<Part><PartNumber>${number}</PartNumber><Size>${bytes.length}</Size><ETag>${etag}</ETag></Part>`,
  );
  const isTruncated = rest.length > page.length;
  const next = `<NextPartNumberMarker>${page.at(-1)?.[0] ?? 0}</NextPartNumberMarker>`;
  return s3Answer(
    "ListPartsResult",
    `<IsTruncated>${isTruncated}</IsTruncated>${next}${items.join("")}`,
  );
}

/** Null: it is not the part that was put. */
function chosen({ parts }: OpenUpload, asked: string): Part | null {
  const member = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(asked)?.[1] ?? "";
  const part = parts.get(Number(member("PartNumber")));
  const etag = member("ETag").replaceAll("&quot;", '"');
  return part?.etag === etag ? part : null;
}
