/**
 * Our own API tokens: HS256 JWTs that name a subject and one role (HB-env-24, design 8.9). Secrets are
 * a list: the first signs, all verify, each is known by its `kid`, so that a secret is rotated without
 * logging everybody out. Each token has an id by which it is taken back. What a role may do is
 * decided in access.ts.
 */
import { createHash, randomUUID } from "node:crypto";
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { DAY_MS, formatDuration, HOUR_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import { ROLES, type Role } from "../policy/policy.js";

const ISSUER = "algobrain";
const ALGORITHM = "HS256";
/** Subjects end up in audit rows and logs: printable, short. */
const SUBJECT = /^[\x21-\x7e]{1,200}$/;
/** Before the subject of a foreign issuer, so that it can never be taken for one of ours. */
export const FOREIGN_PREFIX = "oidc:";

/** Milliseconds that a token of a role may live. Who may do everything asks again within the hour. */
export const TOKEN_TTL_MAX_MS: Readonly<Record<Role, number>> = {
  viewer: 90 * DAY_MS,
  operator: 90 * DAY_MS,
  admin: HOUR_MS,
};
/** A token's times are whole seconds: its begin is rounded down, its end up. */
const ROUNDING_S = 1;

/** What a program may do besides what its role lets it, and no role alone does: see access.ts. */
export const PURPOSES = ["drift"] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface TokenRequest {
  readonly subject: string;
  readonly role: Role;
  /** Only of a viewer's: a token for one thing is not one for many. */
  readonly purpose?: Purpose | null | undefined;
  /** Milliseconds until the token expires; there are no tokens for ever. */
  readonly ttlMs: number;
  readonly now: Date;
}

export interface IssuedToken {
  readonly token: string;
  /** By which it is taken back. */
  readonly id: string;
  readonly endsAt: Date;
}

/** Who is calling, proven by a token. */
export interface Caller {
  readonly subject: string;
  readonly role: Role;
  /** Absent: none. Tokens of an identity provider have none. */
  readonly purpose?: Purpose;
}

export type TokenVerdict =
  | {
      readonly ok: true;
      readonly caller: Caller;
      /** Null: its issuer gives none, or it was made by a version without ids. */
      readonly tokenId: string | null;
    }
  | {
      readonly ok: false;
      /** `unbounded`: an admin's token without an id, or that lives too long. `no-role`: none of its groups has one. */
      readonly reason: "expired" | "not-yet-valid" | "invalid" | "unbounded" | "no-role";
    };

/** Throws `TOKEN_PURPOSE_INVALID`, `TOKEN_SUBJECT_INVALID`, `TOKEN_TTL_TOO_LONG` or `TOKEN_SECRET_MISSING`, all refused. */
export async function issueToken(
  request: TokenRequest,
  secrets: readonly string[],
): Promise<IssuedToken> {
  const [secret] = secrets;
  if (secret === undefined || secret === "") {
    throw fault.refused("TOKEN_SECRET_MISSING", "no secret to sign tokens with", {
      hint: "set JWT_SECRET",
    });
  }
  checkRequest(request);
  const id = randomUUID();
  const endsAtS = Math.ceil((request.now.getTime() + request.ttlMs) / 1000);
  const { role, purpose } = request;
  const token = await new SignJWT(purpose ? { role, purpose } : { role })
    .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid: keyId(secret) })
    .setIssuer(ISSUER)
    .setSubject(request.subject)
    .setJti(id)
    .setIssuedAt(Math.floor(request.now.getTime() / 1000))
    .setExpirationTime(endsAtS)
    .sign(keyBytes(secret));
  return { token, id, endsAt: new Date(endsAtS * 1000) };
}

function checkRequest({ subject, role, purpose, ttlMs }: TokenRequest): void {
  if (purpose && role !== "viewer")
    throw fault.refused("TOKEN_PURPOSE_INVALID", "a token with a purpose is a viewer's", {
      hint: `leave out the purpose, or the role ${role}`,
    });
  if (!isOwnSubject(subject)) {
    throw fault.refused(
      "TOKEN_SUBJECT_INVALID",
      `a token's subject is 1 to 200 printable ASCII characters without spaces, and does not begin with ${FOREIGN_PREFIX}`,
    );
  }
  const maxMs = TOKEN_TTL_MAX_MS[role];
  if (ttlMs > maxMs) {
    throw fault.refused(
      "TOKEN_TTL_TOO_LONG",
      `a token of role ${role} lives ${formatDuration(maxMs)} at most, found ${formatDuration(ttlMs)}`,
    );
  }
}

/** The token alone. Throws as `issueToken` does. */
export async function signToken(
  request: TokenRequest,
  secrets: readonly string[],
): Promise<string> {
  return (await issueToken(request, secrets)).token;
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
    return judge(payload);
  } catch (error) {
    return refusalOf(error);
  }
}

/** What a library's refusal means. Throws what is no refusal of the token. */
export function refusalOf(error: unknown): TokenVerdict {
  if (error instanceof errors.JWTExpired) return { ok: false, reason: "expired" };
  if (isNotYetValid(error)) return { ok: false, reason: "not-yet-valid" };
  if (error instanceof errors.JOSEError) return { ok: false, reason: "invalid" };
  throw error;
}

function isNotYetValid(error: unknown): boolean {
  return error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf";
}

function judge(payload: JWTPayload): TokenVerdict {
  const { sub, role, iat = 0, exp = 0 } = payload;
  const known = ROLES.find((name) => name === role);
  if (!isOwnSubject(sub) || known === undefined) return { ok: false, reason: "invalid" };
  const tokenId = idOf(payload);
  const livesMs = (exp - iat - ROUNDING_S) * 1000;
  if (known === "admin" && (tokenId === null || livesMs > TOKEN_TTL_MAX_MS.admin))
    return { ok: false, reason: "unbounded" };
  const purpose = PURPOSES.find((name) => name === payload.purpose) ?? null;
  // Nothing of ours is signed so.
  if (purpose !== null && known !== "viewer") return { ok: false, reason: "invalid" };
  return { ok: true, caller: { subject: sub, role: known, ...(purpose && { purpose }) }, tokenId };
}

/** By which a token can be taken back; null when its issuer gave it none. */
export function idOf({ jti }: JWTPayload): string | null {
  return isSubject(jti) ? jti : null;
}

function isOwnSubject(subject: unknown): subject is string {
  return isSubject(subject) && !subject.startsWith(FOREIGN_PREFIX);
}

/** Claims are whatever was signed: a number too. */
export function isSubject(claim: unknown): claim is string {
  return typeof claim === "string" && SUBJECT.test(claim);
}

/** Names a secret without telling it: which of the list signed. */
function keyId(secret: string): string {
  return createHash("sha256").update(`algobrain kid ${secret}`).digest("base64url").slice(0, 8);
}

function keyBytes(secret: string): Uint8Array {
  return Buffer.from(secret, "utf8");
}
