/** An incident was triggered: find the automation that is meant for it, and ask for its runbook under its guards. */
import type { Automation } from "../policy/policy.js";
import { isMeantFor } from "../runbook/automation.js";
import { operatorChannel } from "../runbook/operator-channel.js";
import type { Sql } from "../store/database.js";
import { isIncidentResolved } from "../store/inbound.js";
import { type AutomationOutcome, submitAutomation } from "../store/submit-automation.js";
import { type InboundEvent, type Settled, settleOnce } from "./inbound-event.js";
import { ACTED_ON, type PagerDutyEventBody } from "./pagerduty-event.js";

const ACTOR = "service:pagerduty";

export async function handlePagerDutyEvent(event: InboundEvent): Promise<void> {
  const { inbound } = event;
  const settled = await settleOnce(event, (tx) => decide(tx, event));
  // A run tells of itself; that none was started, people at the incident must learn, too.
  if (settled.status !== "refused") return;
  const { incidentId } = inbound.body as PagerDutyEventBody;
  const note = `No runbook was started by automation: ${settled.outcome}. A person is needed.`;
  await event.incidents?.addNote(
    incidentId,
    note,
    `inbound-${inbound.id}:held`,
    event.context.signal,
  );
}

async function decide(tx: Sql, event: InboundEvent): Promise<Settled> {
  const { registry, inbound, context } = event;
  const policy = event.policy();
  const incident = inbound.body as PagerDutyEventBody;
  if (inbound.eventType !== ACTED_ON || incident.incidentId === "")
    return { status: "ignored", outcome: `${inbound.eventType} starts nothing` };
  const automation = policy.automation.find((it) =>
    isMeantFor(it, { on: "incident", ...incident }),
  );
  if (!automation)
    return { status: "ignored", outcome: "no automation is meant for this incident" };
  if (await isIncidentResolved(tx, incident.incidentId))
    return { status: "ignored", outcome: "the incident was resolved before its trigger came" };
  const outcome = await submitAutomation(tx, {
    registry,
    policy,
    automation,
    gitopsRepo: event.gitopsRepo,
    actor: { name: ACTOR, role: policy.access.serviceRoles.pagerduty, door: "pagerduty" },
    now: context.now(),
    incidentId: incident.incidentId,
    inboundId: inbound.id,
    chat: operatorChannel(policy.routes),
  });
  return settledAs(automation, outcome);
}

function settledAs(automation: Automation, outcome: AutomationOutcome): Settled {
  switch (outcome.outcome) {
    case "queued":
      return { status: "handled", outcome: `queued as ${outcome.run.id}` };
    case "already-running":
      return { status: "ignored", outcome: `the same is already at work as ${outcome.run.id}` };
    case "folded":
      return { status: "handled", outcome: `folded: ${outcome.sentence}` };
    case "refused":
      return { status: "refused", outcome: outcome.sentence };
    case "held":
      // A repeat of the same cause is no news; that the budget is spent is.
      return {
        status: outcome.reason === "already-handled" ? "ignored" : "refused",
        outcome: `${automation.name} holds ${automation.runbook} back: ${outcome.sentence}`,
      };
  }
}
