/**
 * Was this sent by PagerDuty? While a secret is rotated several signatures and several secrets are in use:
 * any fitting pair will do. No time is signed, so a repeat is told by its delivery id alone.
 */
import { equalBytes, hexDigest, hmacSha256 } from "../base/secret.js";

/** More than PagerDuty ever sends; each costs a digest. */
const SIGNATURES_MAX = 8;

export type PagerDutySignatureVerdict = "authentic" | "missing" | "malformed" | "mismatch";

export function verifyPagerDutySignature(request: {
  readonly secrets: readonly string[];
  /** `X-PagerDuty-Signature`: comma-separated; other versions than `v1=` are passed over. */
  readonly header: string | undefined;
  readonly body: Buffer;
}): PagerDutySignatureVerdict {
  const { secrets, header, body } = request;
  if (header === undefined || header.trim() === "") return "missing";
  const given = header
    .split(",")
    .slice(0, SIGNATURES_MAX)
    .map((part) => part.trim())
    .filter((part) => part.startsWith("v1="))
    .map((part) => hexDigest(part.slice("v1=".length)))
    .filter((digest) => digest !== null);
  if (given.length === 0) return "malformed";
  const expected = secrets.map((secret) => hmacSha256(secret, body));
  // No early exit: which of them fitted is nobody's business.
  const fits = given.map((digest) => expected.map((other) => equalBytes(digest, other)));
  return fits.flat().includes(true) ? "authentic" : "mismatch";
}
