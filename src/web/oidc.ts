/**
 * Tokens of an OIDC issuer (design 8.9): the issuer says who it is and of which groups, access.yaml says what a
 * group may do. Signed with a public-key algorithm only, so that no secret of ours could have made one.
 */
import { decodeJwt, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../base/clock.js";
import { ROLES, type Role } from "../policy/policy.js";
import { type Fetch, IssuerAway, issuerKeys } from "./issuer-keys.js";
import { HttpProblem } from "./problem.js";
import { FOREIGN_PREFIX, idOf, isSubject, refusalOf, type TokenVerdict } from "./token.js";

export interface OidcSettings {
  /** Without a slash at its end. */
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  /** The claim that holds the names of groups. */
  readonly groupsClaim: string;
}

export interface OidcVerifier {
  /** Whether the token names this issuer, true or not. */
  isMeant(token: string): boolean;
  /** Throws HttpProblem `issuer-unavailable` when the issuer's keys cannot be had. */
  verify(token: string, groups: Readonly<Record<string, Role>>, now: Date): Promise<TokenVerdict>;
}

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];
/** Seconds by which another's clock may differ from ours. */
const CLOCK_TOLERANCE_S = 5;
/** Directories with more groups a person leave them out of the token anyway. */
const GROUPS_MAX = 1_000;
const RETRY_AFTER_S = 5;

export function createOidcVerifier(
  settings: OidcSettings,
  clock: Clock,
  fetchFrom?: Fetch,
): OidcVerifier {
  const keys = issuerKeys(settings.jwksUrl, clock, fetchFrom);
  // Some issuers write their name with a slash at its end.
  const issuer = [settings.issuer, `${settings.issuer}/`];
  return {
    isMeant: (token) => issuer.includes(claimedIssuer(token)),
    verify: async (token, groups, now) => {
      try {
        const { payload } = await jwtVerify(token, keys, {
          ...{ algorithms: ALGORITHMS, issuer, audience: settings.audience, currentDate: now },
          ...{ requiredClaims: ["sub", "exp"], clockTolerance: CLOCK_TOLERANCE_S },
        });
        return judge(payload, highestRole(payload[settings.groupsClaim], groups));
      } catch (error) {
        if (error instanceof IssuerAway) throw away(settings.issuer, error);
        return refusalOf(error);
      }
    },
  };
}

/** What the token says of itself: only to choose who looks at it. */
function claimedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? "";
  } catch {
    return "";
  }
}

function judge(payload: JWTPayload, role: Role | null): TokenVerdict {
  const subject = `${FOREIGN_PREFIX}${payload.sub}`;
  if (typeof payload.sub !== "string" || !isSubject(subject))
    return { ok: false, reason: "invalid" };
  if (role === null) return { ok: false, reason: "no-role" };
  return { ok: true, caller: { subject, role }, tokenId: idOf(payload) };
}

/** A list of names, or one name alone. Of several groups the highest role counts; none of them known: null. */
function highestRole(claim: unknown, groups: Readonly<Record<string, Role>>): Role | null {
  const names = (Array.isArray(claim) ? claim : [claim]).slice(0, GROUPS_MAX);
  const ranks = names
    .filter((name) => typeof name === "string")
    .filter((name) => Object.hasOwn(groups, name))
    .map((name) => ROLES.indexOf(groups[name]!));
  return ROLES[Math.max(-1, ...ranks)] ?? null;
}

function away(issuer: string, cause: IssuerAway): HttpProblem {
  return new HttpProblem(
    "issuer-unavailable",
    `The keys of ${issuer} cannot be had, so its tokens cannot be checked: ${cause.message}. A token of ours works: algobrain token.`,
    { retryAfterS: RETRY_AFTER_S, cause },
  );
}
