/** Any thrown value as an HTTP problem: our faults, Fastify's errors, and the unexpected, which tells nothing. */
import { Fault } from "../base/fault.js";
import { isDatabaseAway } from "../store/database.js";
import { HttpProblem, type ProblemCode } from "./problem.js";

const DATABASE_RETRY_AFTER_S = 5;
const BUSY_RETRY_AFTER_S = 1;

/** They quote what was sent, which may be a book. */
const SENTENCE_MAX = 300;

/** Statuses that Fastify itself answers with, by code of ours. */
const BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: "malformed-request",
  401: "signature-invalid",
  403: "forbidden",
  404: "not-found",
  408: "request-timeout",
  409: "state-conflict",
  413: "body-too-large",
  // A name in the path that is longer than any of ours.
  414: "not-found",
  415: "unsupported-media-type",
  429: "rate-limited",
  431: "headers-too-large",
  503: "busy",
};

export function toProblem(thrown: unknown): HttpProblem {
  if (thrown instanceof HttpProblem) return thrown;
  if (thrown instanceof Fault) return fromFault(thrown);
  if (isFastifyError(thrown)) return fromFastify(thrown);
  return internal(thrown);
}

function fromFault(fault: Fault): HttpProblem {
  if (isDatabaseAway(fault)) {
    return new HttpProblem(
      "database-unavailable",
      "The database does not answer; nothing was changed that you were not told of. Try again shortly.",
      { retryAfterS: DATABASE_RETRY_AFTER_S, cause: fault },
    );
  }
  if (fault.kind === "waiting") {
    const retryAfterS = (fault.retryAfterMs ?? BUSY_RETRY_AFTER_S * 1000) / 1000;
    return new HttpProblem("busy", fault.message, { retryAfterS, cause: fault });
  }
  if (fault.kind === "refused") {
    const detail = fault.hint ? `${fault.message}; ${fault.hint}` : fault.message;
    return new HttpProblem("state-conflict", detail, { cause: fault });
  }
  return internal(fault);
}

interface FastifyError extends Error {
  readonly code: string;
  readonly statusCode: number;
}

function isFastifyError(thrown: unknown): thrown is FastifyError {
  if (!(thrown instanceof Error)) return false;
  const { code, statusCode } = thrown as Partial<FastifyError>;
  return typeof code === "string" && typeof statusCode === "number";
}

function fromFastify(error: FastifyError): HttpProblem {
  if (error.code === "FST_ERR_HANDLER_TIMEOUT") {
    return new HttpProblem("timeout", "The request was given up after its deadline.", {
      retryAfterS: DATABASE_RETRY_AFTER_S,
      cause: error,
    });
  }
  // Fastify's sentences about 4xx are about the request and safe to show; those about 5xx are about us.
  if (error.statusCode >= 500) return internal(error);
  const code = BY_STATUS[error.statusCode] ?? "malformed-request";
  return new HttpProblem(code, error.message.slice(0, SENTENCE_MAX), { cause: error });
}

function internal(cause: unknown): HttpProblem {
  return new HttpProblem(
    "internal",
    "Something unexpected happened; the log tells it under this instance.",
    { cause },
  );
}
