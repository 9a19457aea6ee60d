/**
 * What happens to every request before its handler: who is it, is it too often, may it, is it safe mode.
 * In this order, so that wrong tokens are counted too and nothing is read from those who may not.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isAtLeast, ROLES } from "../policy/policy.js";
import { readSafeMode } from "../store/safe-mode.js";
import type { RouteAccess } from "./access.js";
import { isInside } from "./address.js";
import { limitCallers } from "./caller-limit.js";
import type { WebDeps } from "./deps.js";
import { createOidcVerifier } from "./oidc.js";
import { HttpProblem } from "./problem.js";
import { RevocationList } from "./revocations.js";
import { type Caller, PURPOSES, type Purpose, type TokenVerdict, verifyToken } from "./token.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Set where the access table asks for a role. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
}

export function guardRequests(app: FastifyInstance, deps: WebDeps): void {
  app.decorateRequest("caller", null);
  const limit = limitCallers(app, deps);
  const readToken = tokenReader(deps);

  app.addHook("onRequest", async (request, reply) => {
    const access = request.routeOptions.config?.access;
    const verdict = needsToken(access) ? await readToken(request) : null;
    if (verdict?.ok) request.caller = verdict.caller;
    if (isLimited(request, access)) {
      const state = await limit(request);
      reply.header("x-ratelimit-limit", state.max);
      reply.header("x-ratelimit-remaining", state.remaining);
      if (state.isExceeded) throw tooMany(state.max, state.endsInS);
    }
    requireRole(request, access, verdict);
    if (access?.inSafeMode === "refused") await refuseInSafeMode(deps);
  });
}

function needsToken(access: RouteAccess | undefined): boolean {
  return access !== undefined && access.need !== "none" && access.need !== "signature";
}

/** Design 8.10: all of /api but health and metrics, also paths that do not exist. */
function isLimited(request: FastifyRequest, access: RouteAccess | undefined): boolean {
  // The route's own path where there is one: `GET http://host/api/…` is the same request.
  if (!(request.routeOptions.url ?? request.url).startsWith("/api")) return false;
  return access === undefined || (needsToken(access) && access.need !== "inside");
}

type HeaderVerdict = TokenVerdict | { readonly ok: false; readonly reason: "missing" | "revoked" };

/** Of two kinds of tokens: ours, and those of the identity provider if there is one. */
function tokenReader(deps: WebDeps): (request: FastifyRequest) => Promise<HeaderVerdict> {
  const { config, clock, policy } = deps;
  const revoked = new RevocationList(deps.db, clock);
  const oidc = config.oidc ? createOidcVerifier(config.oidc, clock) : null;
  return async (request) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (token === undefined) return { ok: false, reason: "missing" };
    const verdict = oidc?.isMeant(token)
      ? await oidc.verify(token, policy().access.groups, clock.now())
      : await verifyToken(token, config.jwtSecrets, clock.now());
    if (!verdict.ok || verdict.tokenId === null) return verdict;
    const isRevoked = await revoked.has(verdict.tokenId, verdict.caller.role === "admin");
    return isRevoked ? { ok: false, reason: "revoked" } : verdict;
  };
}

function requireRole(
  request: FastifyRequest,
  access: RouteAccess | undefined,
  verdict: HeaderVerdict | null,
): void {
  if (!access || verdict === null) return;
  if (access.need === "inside" && isInside(request)) return;
  if (!verdict.ok) throw refusal(verdict.reason);
  const needed = access.need === "inside" ? "viewer" : access.need;
  if (needed === "none" || needed === "signature") return;
  const purpose = PURPOSES.find((one) => one === needed);
  if (purpose !== undefined) requirePurpose(verdict.caller, purpose);
  else if (!ROLES.some((role) => role === needed && isAtLeast(verdict.caller.role, role)))
    throw new HttpProblem(
      "forbidden",
      `This needs the role ${needed} or higher; your token says ${verdict.caller.role}.`,
    );
}

function requirePurpose({ purpose, role }: Caller, needed: Purpose): void {
  if (purpose === needed) return;
  throw new HttpProblem(
    "forbidden",
    `This needs a token that was made for the purpose ${needed}; yours has the role ${role} and ${purpose ?? "none"}.`,
  );
}

const TOKEN_ADVICE = {
  missing: "No token was sent: add the header Authorization: Bearer <token>.",
  expired: "The token has expired: get a new one.",
  "not-yet-valid": "The token is not valid yet: compare the clocks.",
  invalid: "The token is not one of ours: get a new one.",
  revoked: "The token was taken back: get a new one, if you may.",
  unbounded:
    "A token for an admin has an id and ends within an hour: get a new one with algobrain token --role admin.",
} as const;

const NO_ROLE =
  "The identity provider knows you, but none of your groups has a role here: access.yaml says under groups which have.";

function refusal(reason: keyof typeof TOKEN_ADVICE | "no-role"): HttpProblem {
  if (reason === "no-role") return new HttpProblem("forbidden", NO_ROLE);
  const error = reason === "missing" ? "" : ', error="invalid_token"';
  return new HttpProblem("unauthenticated", TOKEN_ADVICE[reason], {
    headers: { "www-authenticate": `Bearer realm="algobrain"${error}` },
  });
}

function tooMany(max: number, retryAfterS: number): HttpProblem {
  return new HttpProblem("rate-limited", `More than ${max} requests within a minute.`, {
    retryAfterS: Math.max(1, retryAfterS),
  });
}

async function refuseInSafeMode({ db }: WebDeps): Promise<void> {
  const state = await readSafeMode(db);
  if (!state.active) return;
  throw new HttpProblem(
    "safe-mode",
    `Safe mode is on (${state.reason ?? "no reason given"}): only rescue acts are accepted until a person ends it.`,
    { retryAfterS: 60 },
  );
}

/** For handlers behind a role: the caller is there, because the guard let the request pass. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error(`route ${request.routeOptions.url} has no caller`);
  return request.caller;
}

/** How audit rows name a caller of the API. */
export function actorOf(request: FastifyRequest): string {
  return `api:${callerOf(request).subject}`;
}
