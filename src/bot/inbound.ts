/**
 * The job that acts on a stored event: who asked, may they, then request the run or say why not. What was
 * decided is settled in one transaction; telling comes after it and is tried again until it worked.
 */
import { fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import type { InboundPayload } from "../job/payloads.js";
import type { JobContext, JobHandler } from "../job/port.js";
import type { PolicySet } from "../policy/policy.js";
import type { Chat, Incidents } from "../runbook/port.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Database } from "../store/database.js";
import { type Inbound, readInbound } from "../store/inbound.js";
import { handlePagerDutyEvent } from "./pagerduty-inbound.js";
import { handleSlackCommand, handleSlackInteraction } from "./slack-inbound.js";

export interface InboundDeps {
  readonly db: Database;
  readonly registry: RunbookRegistry;
  readonly policy: () => PolicySet;
  /** Null when not configured: then the row and the audit alone tell. */
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
}

export interface InboundEvent extends InboundDeps {
  readonly inbound: Inbound;
  readonly context: JobContext;
}

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
