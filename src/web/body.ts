/**
 * JSON bodies, read strictly. Besides the grammar it refuses what PostgreSQL's jsonb cannot hold or
 * what later code would trip over, with a pointer to the place: a clear 422 instead of a 500 later.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errorMessage } from "../base/fault.js";
import { findRepeatedKey } from "../base/repeated-key.js";
import { findUnstorable } from "../base/storable.js";
import { HttpProblem } from "./problem.js";

/** Of a key that is quoted. */
const KEY_SHOWN = 100;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Undefined for an empty body: whether one is needed, the route's schema says. Throws HttpProblem. */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const value = parseStrictly(bytes);
  const errors = findUnstorable(value);
  if (errors.length > 0) {
    throw new HttpProblem("invalid-body", "The body holds values that cannot be kept.", {
      errors,
    });
  }
  return value;
}

function parseStrictly(bytes: Buffer): unknown {
  const text = decode(bytes);
  const value = parseText(text);
  const repeated = findRepeatedKey(text);
  if (repeated === null) return value;
  throw new HttpProblem(
    "malformed-request",
    `The body holds the key "${repeated.slice(0, KEY_SHOWN)}" twice in one object: leave one of them out.`,
  );
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw malformed(error);
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(error: unknown): HttpProblem {
  const what = errorMessage(error).slice(0, 200);
  return new HttpProblem("malformed-json", `The body is not JSON: ${what}.`, { cause: error });
}

/** JSON bodies for all routes of `app`; an empty body is no body, whatever its label. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (_: FastifyRequest, bytes: Buffer) => parseJsonBody(bytes),
  );
}

/**
 * JSON whatever the label, because curl sends `-d` as a form. What is labelled otherwise and is
 * not JSON is a 415; what is labelled JSON and is not, a 400.
 */
export function acceptJsonUnderAnyLabel(app: FastifyInstance): void {
  acceptJson(app);
  app.addContentTypeParser(
    "*",
    { parseAs: "buffer" },
    async (request: FastifyRequest, bytes: Buffer) => {
      try {
        return parseJsonBody(bytes);
      } catch (error) {
        if (!(error instanceof HttpProblem) || error.code !== "malformed-json") throw error;
        const label = request.headers["content-type"];
        if (label === undefined) throw error;
        throw new HttpProblem(
          "unsupported-media-type",
          `The body is labelled "${label.slice(0, 100)}" and is not JSON; send application/json.`,
          { cause: error },
        );
      }
    },
  );
}
