/** A slash command that was kept becomes a run, an order or an answer; a refusal is told to the asker alone. */
import { MINUTE_MS } from "../base/duration.js";
import { refusalMessage } from "../runbook/telling.js";
import type { Sql } from "../store/database.js";
import type { Inbound } from "../store/inbound.js";
import { type Submitted, submitRunWithin } from "../store/submit-run.js";
import { type Command, readCommand } from "./command.js";
import { type InboundEvent, type Settled, settleOnce } from "./inbound-event.js";
import { lookAt } from "./slack-looks.js";
import { carryOutNote } from "./slack-notes.js";
import {
  type Answered,
  actorOf,
  carryOutOrder,
  carryOutSwitch,
  refuseStranger,
} from "./slack-orders.js";
import { replyTo } from "./slack-reply.js";
import type { SlackCommandBody } from "./slack-request.js";

/** What was typed longer ago than this is asked again before it is carried out: the world has moved on. */
const FRESH_MS = 10 * MINUTE_MS;
/** Name of the button that asks again. */
export const RUN_NOW = "run-now";

export async function handleSlackCommand(event: InboundEvent): Promise<void> {
  const body = event.inbound.body as SlackCommandBody;
  await settleOnce(event, (tx) => decide(tx, event, body));
}

async function decide(tx: Sql, event: InboundEvent, body: SlackCommandBody): Promise<Settled> {
  const { settled, reply } = isLate(event)
    ? askAgain(event, body)
    : await decideCommand(tx, event, body);
  if (reply) await replyTo(tx, event.inbound, body, reply);
  return settled;
}

function isLate({ inbound, context }: InboundEvent): boolean {
  return context.now().getTime() - Date.parse(typedAtOf(inbound)) > FRESH_MS;
}

/** ISO 8601. Rows of an older version have no time of typing: then that of the row counts. */
export function typedAtOf({ body, receivedAt }: Inbound): string {
  const { typedAt } = body as SlackCommandBody;
  return Number.isNaN(Date.parse(typedAt ?? "")) ? receivedAt.toISOString() : typedAt;
}

function askAgain({ inbound }: InboundEvent, { text }: SlackCommandBody): Answered {
  const typedAt = typedAtOf(inbound);
  return {
    settled: { status: "ignored", outcome: "typed too long ago: asked again" },
    reply: {
      tone: "warning",
      title: `Not run, it came too late: ${text.slice(0, 100)}`,
      text: `You typed it at ${typedAt}, and it could not be carried out until now.`,
      actions: [
        { action: RUN_NOW, label: "Run it now", value: `inbound-${inbound.id}:${typedAt}` },
      ],
    },
  };
}

/** With `idempotencyKey` it is one run, however often it is asked for. */
export async function decideCommand(
  tx: Sql,
  event: InboundEvent,
  body: SlackCommandBody,
  idempotencyKey?: string,
): Promise<Answered> {
  const command = readCommand(event.registry, body.text);
  switch (command.kind) {
    case "run":
      return run(tx, event, body, command, idempotencyKey);
    case "order":
      return carryOutOrder(tx, event, body, { ...command, nonce: null });
    case "note":
      return carryOutNote(tx, event, body, command, new Date(typedAtOf(event.inbound)));
    case "stop":
    case "resume-runbooks":
      return carryOutSwitch(tx, event, body, command);
    case "look":
      return look(tx, event, body, command);
    default:
      // The door answered everything else at once; between then and now the runbooks may have changed.
      return notRun(body.text, "the command is not known any more: /algobrain help");
  }
}

async function look(
  tx: Sql,
  event: InboundEvent,
  body: SlackCommandBody,
  command: Extract<Command, { kind: "look" }>,
): Promise<Answered> {
  if (!actorOf(event, body)) return refuseStranger(tx, body, body.text);
  const reply = await lookAt(tx, command, event.context.now());
  return { settled: { status: "handled", outcome: `shown: ${reply.title}` }, reply };
}

async function run(
  tx: Sql,
  event: InboundEvent,
  body: SlackCommandBody,
  command: Extract<Command, { kind: "run" }>,
  idempotencyKey: string | undefined,
): Promise<Answered> {
  const actor = actorOf(event, body);
  if (!actor) return refuseStranger(tx, body, body.text);
  const submitted = await submitRunWithin(tx, {
    registry: event.registry,
    access: event.policy().access,
    actor,
    runbook: command.runbook,
    params: command.params,
    dryRun: command.dryRun,
    isDrill: command.drill,
    reason: command.reason,
    inboundId: event.inbound.id,
    idempotencyKey,
    chat: { channel: body.channel, ts: null },
  });
  return answerOf(body.text, submitted);
}

function answerOf(asked: string, submitted: Submitted): Answered {
  switch (submitted.outcome) {
    case "queued": {
      const waits = submitted.approval ? ", and asks for approval when its plan is made" : "";
      // An accepted run speaks for itself in its own message.
      return {
        settled: { status: "handled", outcome: `queued as ${submitted.run.id}${waits}` },
        reply: null,
      };
    }
    case "already-running": {
      const { id, status, actor } = submitted.run;
      const { reply } = notRun(asked, `the same is already ${status} as ${id}, asked by ${actor}`);
      return { settled: { status: "ignored", outcome: reply?.text ?? "" }, reply };
    }
    case "refused":
      return notRun(asked, submitted.sentence);
  }
}

function notRun(asked: string, sentence: string): Answered {
  return {
    settled: { status: "refused", outcome: sentence },
    reply: refusalMessage(asked, sentence),
  };
}
