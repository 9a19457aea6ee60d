/** Whatever goes wrong, the answer is a problem document: in handlers, in Fastify, and below it in the parser of HTTP. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../base/log.js";
import {
  HttpProblem,
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  type ProblemCode,
  renderProblem,
} from "./problem.js";
import { toProblem } from "./to-problem.js";

export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0]?.slice(0, 200);
    const detail = `There is no route ${request.method} ${path}; GET /documentation/json lists them.`;
    return sendProblem(new HttpProblem("not-found", detail), request, reply, log);
  });
}

export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
): FastifyReply {
  const problem = toProblem(error);
  request.problem = problem.code;
  if (problem.statusCode >= 500 && problem.code !== "safe-mode") {
    log.error("request.failed", {
      request_id: request.id,
      code: problem.code,
      error: problem.cause ?? problem,
      ...(problem.code === "internal" ? { stack: stackOf(problem.cause) } : {}),
    });
  }
  return reply
    .code(problem.statusCode)
    .headers(problem.headers)
    .header("x-request-id", request.id)
    .type(PROBLEM_MEDIA_TYPE)
    .serializer((document: unknown) => JSON.stringify(document))
    .send(renderProblem(problem, request.id));
}

function stackOf(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.stack : undefined;
}

/** What is not even HTTP has no request: the answer is written by hand, and the connection ends. */
export function refuseBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (socket.destroyed || !socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const code = brokenHttpCode(error.code);
  const problem = new HttpProblem(code, BROKEN[code]);
  const body = JSON.stringify(renderProblem(problem, randomUUID()));
  const { status } = PROBLEMS[problem.code];
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
  // Ending is only our half: who never hangs up would keep the connection for ever.
  socket.destroySoon();
}

/** For a sender that takes too long: what it asks is not waited for. */
export function refuseSlowRequest(socket: Socket): void {
  refuseBrokenHttp(
    Object.assign(new Error("too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
    socket,
  );
}

const BROKEN = {
  "request-timeout": "The request was not here in time.",
  "headers-too-large": "The headers are too large.",
  "malformed-request": "The request is not valid HTTP.",
} as const satisfies Partial<Record<ProblemCode, string>>;

function brokenHttpCode(code: string | undefined): keyof typeof BROKEN {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "request-timeout";
  return code === "HPE_HEADER_OVERFLOW" ? "headers-too-large" : "malformed-request";
}
