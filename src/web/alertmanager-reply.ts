/** Answers as Alertmanager's clients read them: what is wrong with a request is a 400 with one JSON text. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../base/log.js";
import { type Matcher, readMatcher } from "../policy/matcher.js";
import { sendProblem } from "./error-reply.js";
import { HttpProblem } from "./problem.js";
import { toProblem } from "./to-problem.js";

/** Their clients know a 400 with a text, and print it. Of anything else they say that it is unknown: left as it is. */
const AS_TEXT: readonly number[] = [400, 409, 413, 415, 422];

/** The error handler of a route. */
export function answerAsAlertmanager(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = toProblem(error);
    if (!AS_TEXT.includes(problem.statusCode)) return sendProblem(problem, request, reply, log);
    request.problem = problem.code;
    return sendText(reply, 400, sentenceOf(problem));
  };
}

export function sendText(reply: FastifyReply, status: 400 | 404, sentence: string): FastifyReply {
  return reply
    .code(status)
    .type("application/json")
    .serializer((text: unknown) => JSON.stringify(text))
    .send(sentence);
}

function sentenceOf({ message, errors }: HttpProblem): string {
  const places = errors.map((one) => `${one.pointer || "the body"} ${one.message}`);
  return [message, ...places].join(" ");
}

export type FilterQuery = { readonly filter?: string | readonly string[] | undefined };

/** Throws `invalid-query` for what is no matcher. */
export function readFilter({ filter = [] }: FilterQuery): Matcher[] {
  return [filter].flat().map((text) => {
    const read = readMatcher(text);
    if (read.ok) return read.value;
    throw new HttpProblem("invalid-query", `The filter ${text.slice(0, 200)}: ${read.reason}.`);
  });
}
