/**
 * Our own API tokens: HS256 JWTs that name a subject and one role (HB-env-24, design 8.9). Secrets are
 * a list: the first signs, all verify, each is known by its `kid`, so that a secret is rotated without
 * logging everybody out. What a role may do is decided in access.ts.
 */
import { createHash } from "node:crypto";
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { fault } from "../base/fault.js";
import { ROLES, type Role } from "../policy/policy.js";

const ISSUER = "algobrain";
const ALGORITHM = "HS256";
/** Subjects end up in audit rows and logs: printable, short. */
const SUBJECT = /^[\x21-\x7e]{1,200}$/;

export interface TokenRequest {
  readonly subject: string;
  readonly role: Role;
  /** Milliseconds until the token expires; there are no tokens for ever. */
  readonly ttlMs: number;
  readonly now: Date;
}

/** Who is calling, proven by a token. */
export interface Caller {
  readonly subject: string;
  readonly role: Role;
}

export type TokenVerdict =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly reason: "expired" | "not-yet-valid" | "invalid" };

/** A signed token. Throws `TOKEN_SUBJECT_INVALID` or `TOKEN_SECRET_MISSING`, both refused. */
export async function signToken(
  request: TokenRequest,
  secrets: readonly string[],
): Promise<string> {
  const [secret] = secrets;
  if (secret === undefined || secret === "") {
    throw fault.refused("TOKEN_SECRET_MISSING", "no secret to sign tokens with", {
      hint: "set JWT_SECRET",
    });
  }
  if (!SUBJECT.test(request.subject)) {
    throw fault.refused(
      "TOKEN_SUBJECT_INVALID",
      "a token's subject is 1 to 200 printable ASCII characters without spaces",
    );
  }
  const issuedAt = Math.floor(request.now.getTime() / 1000);
  return new SignJWT({ role: request.role })
    .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid: keyId(secret) })
    .setIssuer(ISSUER)
    .setSubject(request.subject)
    .setIssuedAt(issuedAt)
    .setExpirationTime(Math.ceil((request.now.getTime() + request.ttlMs) / 1000))
    .sign(keyBytes(secret));
}

/** Never throws for a bad token: any other algorithm (also `none`), key, issuer or shape is `invalid`. */
export async function verifyToken(
  token: string,
  secrets: readonly string[],
  now: Date,
): Promise<TokenVerdict> {
  let verdict: TokenVerdict = { ok: false, reason: "invalid" };
  for (const secret of secrets) {
    verdict = await verifyWith(token, secret, now);
    if (verdict.ok || verdict.reason !== "invalid") return verdict;
  }
  return verdict;
}

async function verifyWith(token: string, secret: string, now: Date): Promise<TokenVerdict> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keyBytes(secret), {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      requiredClaims: ["sub", "exp", "iat", "role"],
      currentDate: now,
    });
    if (protectedHeader.kid !== keyId(secret)) return { ok: false, reason: "invalid" };
    const caller = toCaller(payload);
    return caller ? { ok: true, caller } : { ok: false, reason: "invalid" };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { ok: false, reason: "expired" };
    if (isNotYetValid(error)) return { ok: false, reason: "not-yet-valid" };
    if (error instanceof errors.JOSEError) return { ok: false, reason: "invalid" };
    throw error;
  }
}

function isNotYetValid(error: unknown): boolean {
  return error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf";
}

function toCaller(payload: JWTPayload): Caller | null {
  const { sub, role } = payload;
  if (typeof sub !== "string" || !SUBJECT.test(sub)) return null;
  const known = ROLES.find((name) => name === role);
  return known ? { subject: sub, role: known } : null;
}

/** Names a secret without telling it: which of the list signed. */
function keyId(secret: string): string {
  return createHash("sha256").update(`algobrain kid ${secret}`).digest("base64url").slice(0, 8);
}

function keyBytes(secret: string): Uint8Array {
  return Buffer.from(secret, "utf8");
}
