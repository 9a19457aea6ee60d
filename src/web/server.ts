/**
 * The HTTP server: limits, hooks and routes put together. It does not listen by itself: main does, and
 * main closes it. `close()` stops taking connections and lets requests in flight end.
 */
import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import rateLimit from "@fastify/rate-limit";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance } from "fastify";
import { accessOf } from "./access.js";
import { acceptJson } from "./body.js";
import { endConnections } from "./closing.js";
import type { WebDeps } from "./deps.js";
import { guardDoors } from "./door-guard.js";
import { answerErrors, refuseBrokenHttp, sendProblem } from "./error-reply.js";
import { guardRequests } from "./guard.js";
import { OPENAPI } from "./openapi.js";
import { observeRequests } from "./request-log.js";
import { routes } from "./routes.js";
import { validatorCompiler } from "./validator.js";
import { maskForViewers } from "./viewer-mask.js";

/** A job's payload is facts, not files. */
const BODY_MAX_BYTES = 1024 * 1024;
/** A whole request must have arrived by then: slow senders do not hold connections. */
const REQUEST_TIMEOUT_MS = 30_000;
/** The headers alone come at once from anyone who means it; Node looks after the slow ones this often. */
const SLOW_HEADERS = { headersTimeout: 15_000, connectionsCheckingInterval: 5_000 } as const;
/** A handler that is not done by then answers 503; its statements end by their own deadline. */
const HANDLER_TIMEOUT_MS = 30_000;
/** Longer than the idle time of AWS balancers (60 s), so that they close first and never meet a closed door. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Throws when a route is missing from the access table. */
export async function createServer(deps: WebDeps): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_MAX_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: SLOW_HEADERS,
    handlerTimeout: HANDLER_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    trustProxy: false,
    genReqId: () => randomUUID(),
    clientErrorHandler: refuseBrokenHttp,
    frameworkErrors: (error, request, reply) => {
      sendProblem(error, request, reply, deps.log);
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  acceptJson(app);
  answerErrors(app, deps.log);
  attachAccess(app);
  endConnections(app, deps.clock);
  await app.register(cors, corsOptions(deps.config.corsOrigins));
  await app.register(rateLimit, { global: false });
  await app.register(swagger, OPENAPI);
  observeRequests(app, deps);
  guardDoors(app, deps.clock);
  guardRequests(app, deps);
  maskForViewers(app, deps);
  await routes(app, deps);
  await app.ready();
  return app;
}

/** Deny by default: a route that the table does not know ends the start. */
function attachAccess(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) {
      route.config = { ...route.config, access: accessOf(method, route.url) };
    }
  });
}

function corsOptions(origins: readonly string[]) {
  return {
    origin: origins.length > 0 ? [...origins] : false,
    methods: ["GET", "HEAD", "POST"],
    allowedHeaders: ["authorization", "content-type"],
    exposedHeaders: ["location", "retry-after", "x-request-id"],
    maxAge: 600,
    strictPreflight: false,
  };
}
