/** A slash command that was kept becomes a run or a refusal; a button has nothing to decide yet. */
import { refusalMessage } from "../runbook/telling.js";
import { appendAudit } from "../store/audit.js";
import type { Sql } from "../store/database.js";
import { type Submitted, submitRunWithin } from "../store/submit-run.js";
import { readCommand } from "./command.js";
import { findSlackPerson } from "./identity.js";
import { type InboundEvent, type Settled, settleOnce } from "./inbound-event.js";
import type { SlackCommandBody } from "./slack-request.js";

export async function handleSlackCommand(event: InboundEvent): Promise<void> {
  const body = event.inbound.body as SlackCommandBody;
  const settled = await settleOnce(event, (tx) => decide(tx, event, body));
  // An accepted run speaks for itself in its own message.
  if (settled.status === "handled") return;
  await say(event, body.channel, body.text, settled.outcome);
}

export async function handleSlackInteraction(event: InboundEvent): Promise<void> {
  const outcome = "buttons decide nothing yet: approvals are not available in this version";
  const settled = await settleOnce(event, async () => ({ status: "ignored", outcome }));
  const { channel } = event.inbound.body;
  if (typeof channel === "string") await say(event, channel, "button", settled.outcome);
}

async function decide(tx: Sql, event: InboundEvent, body: SlackCommandBody): Promise<Settled> {
  const { registry, policy, inbound } = event;
  const { access } = policy();
  const command = readCommand(registry, body.text);
  // The door answered everything else at once; between then and now the runbooks may have changed.
  if (command.kind !== "run")
    return { status: "refused", outcome: "the command is not known any more: /algobrain help" };
  const person = findSlackPerson(access, body.team, body.user);
  if (!person) return refuseStranger(tx, body);
  const submitted = await submitRunWithin(tx, {
    registry,
    access,
    actor: { name: person.name, role: person.role, door: "slack" },
    runbook: command.runbook,
    params: command.params,
    dryRun: command.dryRun,
    reason: command.params.reason,
    inboundId: inbound.id,
    chat: { channel: body.channel, ts: null },
  });
  return settledAs(submitted);
}

function settledAs(submitted: Submitted): Settled {
  switch (submitted.outcome) {
    case "queued":
      return { status: "handled", outcome: `queued as ${submitted.run.id}` };
    case "already-running":
      return {
        status: "ignored",
        outcome: `the same is already ${submitted.run.status} as ${submitted.run.id}, asked by ${submitted.run.actor}`,
      };
    case "refused":
      return { status: "refused", outcome: submitted.sentence };
  }
}

async function refuseStranger(tx: Sql, body: SlackCommandBody): Promise<Settled> {
  const identity = `${body.team}/${body.user}`;
  await appendAudit(tx, {
    actor: `slack:${identity}`,
    action: "run.refused",
    target: "runbook:unknown",
    details: { reason: "unknown-person", text: body.text.slice(0, 200), door: "slack" },
  });
  return {
    status: "refused",
    outcome: `nobody in access.yaml has the Slack identity ${identity}: add it to a person there by pull request`,
  };
}

async function say(event: InboundEvent, channel: string, asked: string, sentence: string) {
  await event.chat?.post(channel, refusalMessage(asked, sentence), event.context.signal);
}
