/** Comparing secrets and signatures: constant time, on raw bytes. */
import { createHmac, timingSafeEqual } from "node:crypto";

/** True when equal. Unequal lengths are compared against themselves first, so that length is all a clock could tell. */
export function equalBytes(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) {
    timingSafeEqual(a, a);
    return false;
  }
  return timingSafeEqual(a, b);
}

/** HMAC-SHA256 of `parts` in order. */
export function hmacSha256(secret: string, ...parts: (string | Buffer)[]): Buffer {
  const hmac = createHmac("sha256", Buffer.from(secret, "utf8"));
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** The bytes of exactly 64 lower-case hex digits; null for anything else. */
export function hexDigest(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, "hex") : null;
}
