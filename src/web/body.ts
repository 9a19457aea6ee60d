/**
 * JSON bodies, read strictly. Besides the grammar it refuses what PostgreSQL's jsonb cannot hold or
 * what later code would trip over, with a pointer to the place: a clear 422 instead of a 500 later.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errorMessage } from "../base/fault.js";
import { type Finding, HttpProblem } from "./problem.js";

/** Deeper than any payload has reason to be, far from what a recursive reader can stand. */
const DEPTH_MAX = 32;
const FINDINGS_MAX = 20;
/** Keys that turn into something else when an object is copied by assignment. */
const POISONOUS_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];

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
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw new HttpProblem(
      "malformed-json",
      `The body is not JSON: ${errorMessage(error).slice(0, 200)}.`,
      {
        cause: error,
      },
    );
  }
}

/** What jsonb or a recursive reader cannot take. Walks without recursion, so that depth cannot hurt it. */
export function findUnstorable(root: unknown): Finding[] {
  const findings: Finding[] = [];
  const open: { value: unknown; pointer: string; depth: number }[] = [
    { value: root, pointer: "", depth: 0 },
  ];
  for (let next = open.pop(); next && findings.length < FINDINGS_MAX; next = open.pop()) {
    const { value, pointer, depth } = next;
    const trouble = troubleOf(value, depth);
    if (trouble) {
      findings.push({ pointer, message: trouble });
      continue;
    }
    if (typeof value !== "object" || value === null) continue;
    for (const [key, item] of Object.entries(value)) {
      const place = `${pointer}/${escapePointer(key)}`;
      const keyTrouble = troubleOfKey(key);
      if (keyTrouble) findings.push({ pointer: place, message: keyTrouble });
      else open.push({ value: item, pointer: place, depth: depth + 1 });
    }
  }
  return findings;
}

function troubleOf(value: unknown, depth: number): string | null {
  if (typeof value === "string") return troubleOfText(value);
  if (typeof value === "number" && !Number.isFinite(value)) return "is a number out of range";
  if (typeof value === "object" && depth > DEPTH_MAX) {
    return `is nested deeper than ${DEPTH_MAX} levels`;
  }
  return null;
}

function troubleOfKey(key: string): string | null {
  if (POISONOUS_KEYS.includes(key)) return `must not have a key "${key}"`;
  return troubleOfText(key);
}

function troubleOfText(text: string): string | null {
  if (text.includes("\u0000")) return "must not hold the character U+0000";
  return isWellFormed(text) ? null : "must not hold half of a surrogate pair";
}

/** With the u flag a pair is one character, so only a lone half is a Surrogate. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** RFC 6901, with what could break a terminal shown as an escape. */
function escapePointer(key: string): string {
  const shown = key.slice(0, 100).replace(/~/g, "~0").replace(/\//g, "~1");
  return JSON.stringify(shown).slice(1, -1);
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
