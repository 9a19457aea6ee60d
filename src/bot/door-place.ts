/**
 * Requests in flight at the doors are bounded, so that strangers hold few places (web/door-guard.ts). Whoever has
 * proven a signature is no stranger: Slack does not send a refused command again, so it must not be refused for
 * company.
 */
import type { FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    /** Gives back the place of this request; absent where nobody counts. */
    leavePlace?: () => void;
  }
}

/** Call it when the signature fits. */
export function leavePlaceOfStrangers(request: FastifyRequest): void {
  request.leavePlace?.();
}
