/**
 * The job that acts on a stored event: who asked, may they, then request the run or say why not. What was
 * decided is settled in one transaction; telling comes after it and is tried again until it worked.
 */
import { fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import type { InboundPayload } from "../job/payloads.js";
import type { JobHandler } from "../job/port.js";
import { readInbound } from "../store/inbound.js";
import type { InboundDeps, InboundEvent } from "./inbound-event.js";
import { handlePagerDutyEvent } from "./pagerduty-inbound.js";
import { handleSlackInteraction } from "./slack-buttons.js";
import { handleSlackCommand } from "./slack-inbound.js";

export function createInboundHandler(deps: InboundDeps): JobHandler {
  return {
    kind: "inbound",
    run: async (context) => {
      const { inbound_id: id } = context.job.payload as InboundPayload;
      const inbound = await readInbound(deps.db, id);
      if (!inbound) throw fault.data("INBOUND_UNKNOWN", `there is no inbound event ${id}`);
      await handle({ ...deps, inbound, context });
      const settled = await readInbound(deps.db, id);
      context.log.info("inbound.settled", {
        inbound_id: id,
        source: inbound.source,
        event_type: inbound.eventType,
        status: settled?.status,
        outcome: settled?.outcome,
      });
      return { status: settled?.status ?? null, outcome: settled?.outcome ?? null } satisfies Json;
    },
  };
}

function handle(event: InboundEvent): Promise<void> {
  const { source, eventType } = event.inbound;
  if (source === "pagerduty") return handlePagerDutyEvent(event);
  if (source === "slack" && eventType === "slash_command") return handleSlackCommand(event);
  if (source === "slack") return handleSlackInteraction(event);
  throw fault.data("INBOUND_UNEXPECTED", `nobody acts on ${eventType} of ${source}`);
}
