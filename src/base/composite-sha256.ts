/**
 * The digest of a file that is written in parts, as S3 states it for a multipart upload ("composite checksum"): SHA-256
 * over the digests of its parts, in base64, and how many parts there are.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
import { createHash } from "node:crypto";

/** @param parts their digests in hex, in order */
export function compositeSha256(parts: readonly string[]): string {
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part, "hex")));
  return `${createHash("sha256").update(digests).digest("base64")}-${parts.length}`;
}
