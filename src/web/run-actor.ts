/** Who of access.yaml stands behind a token, as runbooks see it. */
import type { FastifyRequest } from "fastify";
import type { Access } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { type Claim, findPerson, nameOf } from "../runbook/identity.js";
import { callerOf } from "./guard.js";

export function claimOf(request: FastifyRequest): Claim {
  const { subject, role } = callerOf(request);
  return { door: "api", subject, role };
}

/** Where the person is known, the lower of both roles counts: a token lifts nobody, and neither does an entry. */
export function runActorOf(request: FastifyRequest, access: Access): Actor {
  const claim = claimOf(request);
  const person = findPerson(access, claim);
  const role = person?.role ?? callerOf(request).role;
  return { name: nameOf(claim), role, door: "api", person: person?.name ?? null };
}
