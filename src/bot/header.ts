/** One header of a request as text; undefined when it is missing, or came more than once. */
import type { FastifyRequest } from "fastify";

export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}
