/** An incident was triggered: find the automation that is meant for it, and ask for its runbook under its guards. */
import type { Automation } from "../policy/policy.js";
import { type CauseValues, isMeantFor } from "../runbook/automation.js";
import { operatorChannel } from "../runbook/operator-channel.js";
import { isOwnIncident } from "../runbook/own-word.js";
import type { Sql } from "../store/database.js";
import { findEarlierEvent, isIncidentResolved, lockIncident } from "../store/inbound.js";
import { type AutomationOutcome, submitAutomation } from "../store/submit-automation.js";
import { type InboundEvent, type Settled, settleOnce } from "./inbound-event.js";
import { alertValues, incidentValues, needsAlerts } from "./incident-values.js";
import { ACTED_ON, type PagerDutyEventBody } from "./pagerduty-event.js";

const ACTOR = "service:pagerduty";
/** An event that waited longer, such as in the journal, may be about what is long over: PagerDuty is asked. */
const STALE_MS = 60_000;

export async function handlePagerDutyEvent(event: InboundEvent): Promise<void> {
  const { inbound } = event;
  // Before the transaction: nobody holds a lock while PagerDuty thinks.
  const facts = inbound.status === "received" ? await lookUp(event) : NO_FACTS;
  const settled = await settleOnce(event, (tx) => decide(tx, event, facts));
  // A run tells of itself; that none was started, people at the incident must learn, too.
  if (settled.status !== "refused") return;
  const { incidentId } = inbound.body as PagerDutyEventBody;
  await event.incidents?.addNote(
    incidentId,
    heldNote(event, settled.outcome),
    `inbound-${inbound.id}:held`,
    event.context.signal,
  );
}

/** For the person who takes over: nothing was changed, why, and what to type. */
function heldNote(event: InboundEvent, outcome: string): string {
  const automation = automationFor(event);
  const next = automation === null ? [] : [`Next: /algobrain ${automation.runbook} --dry-run`];
  return [
    `No runbook was started by automation: ${outcome}. A person is needed.`,
    "State: nothing was changed, and no target is held.",
    ...next,
  ].join("\n");
}

/** What PagerDuty alone knows. */
interface Facts {
  readonly values: CauseValues;
  readonly isOver: boolean;
}

const NO_FACTS: Facts = { values: {}, isOver: false };

/** A PagerDuty that does not answer delays the event (its job comes again); it does not start it half known. */
async function lookUp(event: InboundEvent): Promise<Facts> {
  const { incidents, inbound, context } = event;
  const automation = automationFor(event);
  if (incidents === null || automation === null) return NO_FACTS;
  const { incidentId } = inbound.body as PagerDutyEventBody;
  const status =
    ageOf(event) > STALE_MS ? await incidents.status(incidentId, context.signal) : "unknown";
  const alerts = needsAlerts(automation) ? await incidents.alerts(incidentId, context.signal) : [];
  return { values: alertValues(alerts), isOver: status === "resolved" };
}

/** Milliseconds since it happened: when it came does not tell, of what a journal kept meanwhile. */
function ageOf({ inbound, context }: InboundEvent): number {
  const { occurredAt } = inbound.body as PagerDutyEventBody;
  // Rows of earlier versions have none.
  const occurredMs = Date.parse(occurredAt ?? "");
  const receivedMs = inbound.receivedAt.getTime();
  const sinceMs = Number.isNaN(occurredMs) ? receivedMs : Math.min(occurredMs, receivedMs);
  return context.now().getTime() - sinceMs;
}

function automationFor({ inbound, policy }: InboundEvent): Automation | null {
  const incident = inbound.body as PagerDutyEventBody;
  if (inbound.eventType !== ACTED_ON || incident.incidentId === "") return null;
  return policy().automation.find((it) => isMeantFor(it, { on: "incident", ...incident })) ?? null;
}

async function decide(tx: Sql, event: InboundEvent, facts: Facts): Promise<Settled> {
  const { registry, inbound, context } = event;
  const policy = event.policy();
  const incident = inbound.body as PagerDutyEventBody;
  if (inbound.eventType !== ACTED_ON || incident.incidentId === "")
    return { status: "ignored", outcome: `${inbound.eventType} starts nothing` };
  const automation = automationFor(event);
  if (!automation)
    return { status: "ignored", outcome: "no automation is meant for this incident" };
  await lockIncident(tx, incident.incidentId);
  const over = await whyOver(tx, inbound.id, incident, facts);
  if (over !== null) return { status: "ignored", outcome: over };
  const outcome = await submitAutomation(tx, {
    registry,
    policy,
    automation,
    gitopsRepo: event.gitopsRepo,
    actor: { name: ACTOR, role: policy.access.serviceRoles.pagerduty, door: "pagerduty" },
    now: context.now(),
    incidentId: incident.incidentId,
    causeKey: `incident:${incident.incidentId}`,
    inboundId: inbound.id,
    values: { ...facts.values, ...incidentValues(incident) },
    byOurselves: isOwnIncident(incident.incidentKey),
    chat: operatorChannel(policy.routes),
  });
  return settledAs(automation, outcome);
}

async function whyOver(
  tx: Sql,
  inboundId: number,
  { incidentId, eventId }: PagerDutyEventBody,
  { isOver }: Facts,
): Promise<string | null> {
  const earlier =
    eventId === null ? null : await findEarlierEvent(tx, inboundId, { eventId, incidentId });
  if (earlier !== null) return `the same event came before, as inbound event ${earlier}`;
  if (await isIncidentResolved(tx, incidentId))
    return "the incident was resolved before its trigger came";
  return isOver ? "the incident was resolved before we came to it" : null;
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
