/** The run that a path names. */
import type { FastifyRequest } from "fastify";
import { HttpProblem } from "./problem.js";

/** Within what the database's numbers reach: anything else is no run's id. */
const RUN_ID = /^run-[1-9]\d{0,15}$/;

/** Throws `not-found` for what cannot be one. */
export function runIdOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  if (RUN_ID.test(id)) return id;
  throw noSuchRun(id);
}

export function noSuchRun(id: string): HttpProblem {
  const shown = JSON.stringify(id.slice(0, 40));
  return new HttpProblem("not-found", `There is no run ${shown}; ids read run-123.`);
}
