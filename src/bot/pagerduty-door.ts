/**
 * PagerDuty's webhook (EP-32). 4xx is for forgeries alone: three of them in a row and PagerDuty falls silent
 * for a day. What is authentic is kept and answered 202, wanted or not, also when only this machine could keep it;
 * 503 makes it come again.
 */
import type { FastifyInstance } from "fastify";
import { errorMessage } from "../base/fault.js";
import type { Sql } from "../store/database.js";
import { type NewInbound, recordIgnored, recordInbound } from "../store/inbound.js";
import { keepOrJournal } from "../store/keep-or-journal.js";
import type { DoorDeps } from "./deps.js";
import { leavePlaceOfStrangers } from "./door-place.js";
import { sendDoorProblem } from "./door-problem.js";
import { headerOf } from "./header.js";
import { ACTED_ON, readPagerDutyEvent } from "./pagerduty-event.js";
import { verifyPagerDutySignature } from "./pagerduty-signature.js";

/** Of the 5 s that PagerDuty waits; the rest is for the journal and the way back. */
const RECORD_MS = 2_500;

export function pagerdutyDoor(app: FastifyInstance, deps: DoorDeps): void {
  const { log, pagerdutySecrets: secrets } = deps;
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
    leavePlaceOfStrangers(request);
    const event = readPagerDutyEvent(body, headerOf(request, "x-webhook-id"));
    if (!event) {
      log.warn("door.unreadable", { door: "pagerduty", bytes: body.length });
      return reply.code(202).send();
    }
    if (await isKept(deps, event)) return reply.code(202).send();
    return sendDoorProblem(
      request,
      reply,
      "database-unavailable",
      "The event could not be kept: deliver it again.",
    );
  });
}

async function isKept(deps: DoorDeps, event: NewInbound): Promise<boolean> {
  try {
    const kept = await keepOrJournal(deps, event, RECORD_MS, (tx) => keepPagerDutyEvent(tx, event));
    return kept.place !== "nowhere";
  } catch (thrown) {
    deps.log.error("door.unrecorded", { door: "pagerduty", error: errorMessage(thrown) });
    return false;
  }
}

/** The event as a row, with a job where it may start something. What became of it, in a few words. */
export async function keepPagerDutyEvent(tx: Sql, event: NewInbound): Promise<string> {
  if (event.eventType === ACTED_ON) {
    const { fresh } = await recordInbound(tx, event);
    return fresh ? "kept" : "already here";
  }
  const what = event.body.isOwn === true ? "a note of our own" : event.eventType;
  const isNew = await recordIgnored(tx, event, `${what} starts nothing`);
  return isNew ? "kept, it starts nothing" : "already here";
}
