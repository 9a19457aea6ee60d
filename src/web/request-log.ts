/** One line and one measurement for each answered request, by the route's pattern. */
import type { FastifyInstance } from "fastify";
import type { WebDeps } from "./deps.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Code of the problem that it was answered with; also set by the doors, which write their own. */
    problem: string | null;
  }
}

/** Unknown paths share one name: a stranger must not be able to make metric series. */
const UNMATCHED = "unmatched";

export function observeRequests(app: FastifyInstance, deps: WebDeps): void {
  app.decorateRequest("problem", null);
  app.addHook("onSend", async (request, reply, payload) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    return payload;
  });

  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? UNMATCHED;
    const durationMs = Math.round(reply.elapsedTime * 10) / 10;
    const { method, problem } = request;
    deps.metrics.observeRequest({ method, route, status: reply.statusCode, problem, durationMs });
    const fields = {
      request_id: request.id,
      method,
      route,
      status: reply.statusCode,
      duration_ms: durationMs,
      ...(request.caller ? { subject: request.caller.subject } : {}),
    };
    deps.log[levelOf(fields)]("request.answered", fields);
  });
}

/** What takes longer is told, whatever it was: somebody will ask for it (LB-cli-08). Milliseconds. */
const SLOW_MS = 2_000;

interface Answered {
  readonly method: string;
  readonly status: number;
  /** Milliseconds. */
  readonly duration_ms: number;
}

/** Reads that went well and soon are many and tell nothing. */
export function levelOf({ method, status, duration_ms }: Answered): "warn" | "info" | "debug" {
  if (status >= 500) return "warn";
  const isRead = method === "GET" || method === "HEAD";
  return isRead && status < 400 && duration_ms <= SLOW_MS ? "debug" : "info";
}
