/**
 * What happens to every request before its handler: who is it, is it too often, may it, is it safe mode.
 * In this order, so that wrong tokens are counted too and nothing is read from those who may not.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isAtLeast } from "../policy/policy.js";
import { readSafeMode } from "../store/safe-mode.js";
import type { RouteAccess } from "./access.js";
import { isInside } from "./address.js";
import { limitCallers } from "./caller-limit.js";
import type { WebDeps } from "./deps.js";
import { HttpProblem } from "./problem.js";
import { type Caller, type TokenVerdict, verifyToken } from "./token.js";

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

  app.addHook("onRequest", async (request, reply) => {
    const access = request.routeOptions.config?.access;
    const verdict = needsToken(access) ? await readToken(request, deps) : null;
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

type HeaderVerdict = TokenVerdict | { readonly ok: false; readonly reason: "missing" };

async function readToken(request: FastifyRequest, deps: WebDeps): Promise<HeaderVerdict> {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (token === undefined) return { ok: false, reason: "missing" };
  return verifyToken(token, deps.config.jwtSecrets, deps.clock.now());
}

function requireRole(
  request: FastifyRequest,
  access: RouteAccess | undefined,
  verdict: HeaderVerdict | null,
): void {
  if (!access || verdict === null) return;
  if (access.need === "inside" && isInside(request)) return;
  if (!verdict.ok) throw unauthenticated(verdict.reason);
  const needed = access.need === "inside" ? "viewer" : access.need;
  if (needed !== "none" && needed !== "signature" && !isAtLeast(verdict.caller.role, needed)) {
    throw new HttpProblem(
      "forbidden",
      `This needs the role ${needed} or higher; your token says ${verdict.caller.role}.`,
    );
  }
}

const TOKEN_ADVICE = {
  missing: "No token was sent: add the header Authorization: Bearer <token>.",
  expired: "The token has expired: get a new one.",
  "not-yet-valid": "The token is not valid yet: compare the clocks.",
  invalid: "The token is not one of ours: get a new one.",
} as const;

function unauthenticated(reason: keyof typeof TOKEN_ADVICE): HttpProblem {
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
