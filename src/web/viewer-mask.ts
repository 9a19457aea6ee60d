/**
 * What viewers are shown holds no whole mail address, whatever document it stands in: a job's payload, a line of a
 * log, a note of an incident. One place for all routes, so that a new one cannot forget it. Operators see all.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { maskMailsIn } from "../message/mask-mail.js";
import type { PolicySet } from "../policy/policy.js";
import type { WebDeps } from "./deps.js";

export function maskForViewers(app: FastifyInstance, deps: Pick<WebDeps, "policy">): void {
  app.addHook("preSerialization", async (request: FastifyRequest, _, payload: unknown) =>
    isViewer(request) ? maskMailsIn(payload, addressesOf(deps.policy())) : payload,
  );
}

/** For what leaves as text or in pieces: how this caller is shown the document, before it is written. */
export function shownTo(
  request: FastifyRequest,
  deps: Pick<WebDeps, "policy">,
): <T>(document: T) => T {
  if (!isViewer(request)) return (document) => document;
  const keep = addressesOf(deps.policy());
  return (document) => maskMailsIn(document, keep);
}

function isViewer(request: FastifyRequest): boolean {
  return request.caller?.role === "viewer";
}

/** To whom alerts go stands in the policy for everyone to read. */
function addressesOf({ routes }: PolicySet): ReadonlySet<string> {
  const receivers = Object.values(routes.receivers);
  const addresses = receivers.flatMap((receiver) => (receiver.kind === "email" ? receiver.to : []));
  return new Set(addresses.map((address) => address.toLowerCase()));
}
