/** Refusals of the doors as `application/problem+json`, in the form that the API uses (RFC 9457). */
import type { FastifyReply, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    /** For whoever counts answers: which problem this one was. */
    problem: string | null;
  }
}

const PROBLEMS = {
  "signature-invalid": { status: 401, title: "The signature does not fit" },
  "database-unavailable": { status: 503, title: "The database cannot be reached" },
  "not-configured": { status: 503, title: "This door is not configured" },
} as const;

/** Seconds after which a sender may try again. */
const RETRY_AFTER_S = 5;

/** `detail` is one sentence; it never tells a forger more than that it did not fit. */
export function sendDoorProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  code: keyof typeof PROBLEMS,
  detail: string,
): FastifyReply {
  const { status, title } = PROBLEMS[code];
  request.problem = code;
  if (status === 503) reply.header("retry-after", String(RETRY_AFTER_S));
  return reply
    .code(status)
    .type("application/problem+json; charset=utf-8")
    .send(
      JSON.stringify({
        type: `urn:algobrain:problem:${code}`,
        title,
        status,
        code,
        detail,
        instance: `urn:uuid:${request.id}`,
      }),
    );
}
