/** One line and one measurement for each answered request. Reads that went well are debug: they are many. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { WebDeps } from "./deps.js";

/** Unknown paths share one name: a stranger must not be able to make metric series. */
const UNMATCHED = "unmatched";

export function observeRequests(app: FastifyInstance, deps: WebDeps): void {
  app.addHook("onSend", async (request, reply, payload) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    return payload;
  });

  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? UNMATCHED;
    const durationMs = Math.round(reply.elapsedTime * 10) / 10;
    const { method } = request;
    deps.metrics.observeRequest({ method, route, status: reply.statusCode, durationMs });
    const write = deps.log[levelOf(request, reply)];
    write("request.answered", {
      request_id: request.id,
      method,
      route,
      status: reply.statusCode,
      duration_ms: durationMs,
      ...(request.caller ? { subject: request.caller.subject } : {}),
    });
  });
}

function levelOf(request: FastifyRequest, reply: FastifyReply): "debug" | "info" | "warn" {
  if (reply.statusCode >= 500) return "warn";
  const isRead = request.method === "GET" || request.method === "HEAD";
  return isRead && reply.statusCode < 400 ? "debug" : "info";
}
