import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import { HttpProblem, renderProblem } from "../../src/web/problem.js";
import { toProblem } from "../../src/web/to-problem.js";

const fastifyError = (statusCode: number, code = "FST_ERR_X") =>
  Object.assign(new Error("what Fastify says"), { statusCode, code });

describe("a thrown value becomes a problem:", () => {
  it.each([
    [
      "a lost database",
      fault.transient("DATABASE_UNAVAILABLE", "secret host"),
      "database-unavailable",
      503,
    ],
    [
      "an exhausted pool",
      fault.transient("DATABASE_POOL_EXHAUSTED", "x"),
      "database-unavailable",
      503,
    ],
    ["a wrong statement", fault.transient("DATABASE_ERROR", "column x"), "internal", 500],
    ["a wait", fault.waiting("GITHUB_RATE_LIMITED", "wait"), "busy", 503],
    [
      "a refusal by a use case",
      fault.refused("QUEUE_NOT_PAUSABLE", "never"),
      "state-conflict",
      409,
    ],
    ["an unknown error", new Error("stack and paths"), "internal", 500],
    ["no error at all", "text", "internal", 500],
    ["a body too large", fastifyError(413), "body-too-large", 413],
    ["a strange media type", fastifyError(415), "unsupported-media-type", 415],
    ["a broken URL", fastifyError(400), "malformed-request", 400],
    ["a deadline", fastifyError(503, "FST_ERR_HANDLER_TIMEOUT"), "timeout", 503],
    ["a mistake of ours in Fastify", fastifyError(500), "internal", 500],
  ])("%s", (_, thrown, code, status) => {
    expect(toProblem(thrown)).toMatchObject({ code, statusCode: status });
  });

  it("and what is our fault tells nothing of its insides", () => {
    for (const thrown of [new Error("secret"), fault.transient("DATABASE_UNAVAILABLE", "secret")]) {
      const text = JSON.stringify(renderProblem(toProblem(thrown), "id"));
      expect(text).not.toContain("secret");
    }
  });

  it("and a wait says how long, rounded up to whole seconds", () => {
    const waiting = fault.waiting("X_Y", "later", { retryAfterMs: 1_500 });
    expect(toProblem(waiting).headers).toEqual({ "retry-after": "2" });
  });
});

describe("a problem document", () => {
  it("has the members of RFC 9457, a stable code and the request's id", () => {
    const problem = new HttpProblem("invalid-payload", "It does not fit.", {
      errors: [{ pointer: "/payload/x", message: "must be string" }],
    });
    expect(renderProblem(problem, "7d1f")).toEqual({
      type: "urn:algobrain:problem:invalid-payload",
      title: "The payload does not fit the job type",
      status: 422,
      code: "invalid-payload",
      detail: "It does not fit.",
      instance: "urn:uuid:7d1f",
      errors: [{ pointer: "/payload/x", message: "must be string" }],
    });
  });
});
