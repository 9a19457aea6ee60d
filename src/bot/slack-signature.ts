/** Was this sent by Slack, and now? Version v0: HMAC over `v0:timestamp:body`, on the raw bytes. */
import { equalBytes, hexDigest, hmacSha256 } from "../base/secret.js";

/** Slack's own limit. Ours holds in both directions: a time in the future is no fresher than one in the past. */
const SKEW_MAX_S = 300;

export type SlackSignatureVerdict = "authentic" | "missing" | "malformed" | "stale" | "mismatch";

export function verifySlackSignature(request: {
  readonly secret: string;
  /** `X-Slack-Request-Timestamp`: seconds. */
  readonly timestamp: string | undefined;
  /** `X-Slack-Signature`: `v0=` and 64 lower-case hex digits. */
  readonly signature: string | undefined;
  readonly body: Buffer;
  readonly now: Date;
}): SlackSignatureVerdict {
  const { secret, timestamp, signature, body, now } = request;
  if (timestamp === undefined || signature === undefined) return "missing";
  if (!/^\d{1,12}$/.test(timestamp) || !signature.startsWith("v0=")) return "malformed";
  const given = hexDigest(signature.slice("v0=".length));
  if (given === null) return "malformed";
  const skewS = Math.abs(Math.floor(now.getTime() / 1_000) - Number(timestamp));
  if (skewS > SKEW_MAX_S) return "stale";
  const expected = hmacSha256(secret, `v0:${timestamp}:`, body);
  return equalBytes(given, expected) ? "authentic" : "mismatch";
}
