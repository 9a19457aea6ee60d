/**
 * Errors as `application/problem+json` (RFC 9457) with a stable code. Each code has one status and one
 * title; docs/errors.md lists them all. What a foreign error becomes is decided in to-problem.ts.
 */
export const PROBLEMS = {
  "malformed-request": { status: 400, title: "The request cannot be read" },
  "malformed-json": { status: 400, title: "The body is not JSON" },
  unauthenticated: { status: 401, title: "A valid token is needed" },
  "signature-invalid": { status: 401, title: "The signature does not fit" },
  forbidden: { status: 403, title: "Your role may not do this" },
  "not-found": { status: 404, title: "There is no such thing" },
  "request-timeout": { status: 408, title: "The request came too slowly" },
  "gitops-not-configured": { status: 409, title: "There is no repository to propose changes to" },
  "state-conflict": { status: 409, title: "The present state does not allow this" },
  "body-too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "This media type is not understood" },
  "unknown-job-type": { status: 422, title: "There is no such job type" },
  "internal-job-type": { status: 422, title: "Jobs of this type are made by the runtime only" },
  "invalid-payload": { status: 422, title: "The payload does not fit the job type" },
  "invalid-body": { status: 422, title: "The body does not have the expected form" },
  "bundle-refused": { status: 422, title: "The bundle is not to be believed" },
  "invalid-query": { status: 422, title: "The query does not have the expected form" },
  "rate-limited": { status: 429, title: "Too many requests" },
  "headers-too-large": { status: 431, title: "The headers are too large" },
  internal: { status: 500, title: "We made a mistake" },
  busy: { status: 503, title: "Too much work at once" },
  "database-unavailable": { status: 503, title: "The database cannot be reached" },
  "cache-unavailable": { status: 503, title: "The cache cannot be reached" },
  "github-unavailable": { status: 503, title: "GitHub cannot be reached" },
  "issuer-unavailable": { status: 503, title: "The identity provider cannot be reached" },
  "not-configured": { status: 503, title: "This door is not configured" },
  "safe-mode": { status: 503, title: "Safe mode: changes are refused" },
  timeout: { status: 503, title: "This took too long" },
} as const satisfies Record<string, { status: number; title: string }>;
export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_MEDIA_TYPE = "application/problem+json; charset=utf-8";

/** One finding about the request: a JSON pointer into the body, or a parameter's name. */
export interface Finding {
  readonly pointer: string;
  readonly message: string;
}

export interface ProblemOptions {
  readonly errors?: readonly Finding[];
  /** Seconds after which asking again makes sense: becomes `Retry-After`. */
  readonly retryAfterS?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown by routes and hooks; the error handler renders it. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly code: ProblemCode;
  readonly statusCode: number;
  readonly errors: readonly Finding[];
  readonly headers: Readonly<Record<string, string>>;

  /** `detail` is one sentence for this occurrence: what was found, expected, and what to do. */
  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.statusCode = PROBLEMS[code].status;
    this.errors = options.errors ?? [];
    const retryAfter = options.retryAfterS;
    this.headers = {
      ...(retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(retryAfter)) }),
      ...options.headers,
    };
  }
}

/** Where a value stood in the request: a refusal is called after it. */
export type RequestPlace = "query" | "body";

/** The refusal of one value whose form a schema cannot judge. */
export function misfit(place: RequestPlace, pointer: string, message: string): HttpProblem {
  const options = { errors: [{ pointer, message }] };
  return place === "query"
    ? new HttpProblem("invalid-query", "The query does not fit.", options)
    : new HttpProblem("invalid-body", "The body does not fit.", options);
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  /** This occurrence: the request's id, as in the log and in `x-request-id`. */
  readonly instance: string;
  readonly errors?: readonly Finding[];
}

export function renderProblem(problem: HttpProblem, requestId: string): ProblemDocument {
  const { status, title } = PROBLEMS[problem.code];
  return {
    type: `urn:algobrain:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.message,
    instance: `urn:uuid:${requestId}`,
    ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
  };
}
