/**
 * PagerDuty's webhook (EP-32). 4xx is for forgeries alone: three of them in a row and PagerDuty falls silent
 * for a day. What is authentic is kept and answered 202, wanted or not; 503 makes it come again.
 */
import type { FastifyInstance } from "fastify";
import { errorMessage } from "../base/fault.js";
import { recordIgnored, recordInbound } from "../store/inbound.js";
import type { DoorDeps } from "./deps.js";
import { sendDoorProblem } from "./door-problem.js";
import { headerOf } from "./header.js";
import { ACTED_ON, readPagerDutyEvent } from "./pagerduty-event.js";
import { verifyPagerDutySignature } from "./pagerduty-signature.js";

export function pagerdutyDoor(app: FastifyInstance, deps: DoorDeps): void {
  const { db, log, pagerdutySecrets: secrets } = deps;
  app.post("/webhooks/pagerduty", async (request, reply) => {
    if (secrets.length === 0)
      return sendDoorProblem(
        request,
        reply,
        "not-configured",
        "Set PAGERDUTY_WEBHOOK_SECRET to open this door.",
      );
    const body = request.body as Buffer;
    const header = headerOf(request, "x-pagerduty-signature");
    const verdict = verifyPagerDutySignature({ secrets, header, body });
    if (verdict !== "authentic") {
      log.warn("door.forged", { door: "pagerduty", verdict, address: request.ip });
      return sendDoorProblem(
        request,
        reply,
        "signature-invalid",
        "No v1= signature in X-PagerDuty-Signature fits the body.",
      );
    }
    const event = readPagerDutyEvent(body, headerOf(request, "x-webhook-id"));
    if (!event) {
      log.warn("door.unreadable", { door: "pagerduty", bytes: body.length });
      return reply.code(202).send();
    }
    try {
      await db.transaction(async (tx) => {
        if (event.eventType === ACTED_ON) await recordInbound(tx, event);
        else await recordIgnored(tx, event, `${event.eventType} starts nothing`);
      });
    } catch (thrown) {
      log.error("door.unrecorded", { door: "pagerduty", error: errorMessage(thrown) });
      return sendDoorProblem(
        request,
        reply,
        "database-unavailable",
        "The event could not be kept: deliver it again.",
      );
    }
    return reply.code(202).send();
  });
}
