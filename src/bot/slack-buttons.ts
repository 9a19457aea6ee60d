/**
 * A button that was kept becomes an order, or the command that it repeats. Its value comes back from the client:
 * it is looked up, and gives nobody any right.
 */

import type { Sql } from "../store/database.js";
import { readInbound } from "../store/inbound.js";
import { RUN_ORDERS, type RunOrder } from "./command.js";
import { type InboundEvent, type Settled, settleOnce } from "./inbound-event.js";
import { decideCommand, RUN_NOW, typedAtOf } from "./slack-inbound.js";
import { type Answered, carryOutOrder, refused, type SlackAsker } from "./slack-orders.js";
import { replyTo } from "./slack-reply.js";
import type { SlackButtonBody, SlackCommandBody } from "./slack-request.js";

export type Button =
  | {
      readonly kind: "order";
      readonly order: RunOrder;
      readonly runId: string;
      readonly nonce: string;
    }
  | { readonly kind: "run-now"; readonly inboundId: number; readonly typedAt: string };

const RUN_VALUE = /^(run-[1-9][0-9]{0,14}):([0-9A-Za-z_-]{1,100})$/;
const INBOUND_VALUE = /^inbound-([1-9][0-9]{0,14}):([0-9TZ:.-]{1,40})$/;

/** Null: none of ours. */
export function readButton(action: string | null, value: string | null): Button | null {
  // Slack wants names that are unique in a message: the second `cancel` is `cancel#1`.
  const name = (action ?? "").replace(/#\d{1,2}$/, "");
  const order = RUN_ORDERS.find((it) => it === name);
  const run = RUN_VALUE.exec(value ?? "");
  if (order && run) return { kind: "order", order, runId: run[1]!, nonce: run[2]! };
  const inbound = INBOUND_VALUE.exec(value ?? "");
  if (name === RUN_NOW && inbound)
    return { kind: "run-now", inboundId: Number(inbound[1]), typedAt: inbound[2]! };
  return null;
}

export async function handleSlackInteraction(event: InboundEvent): Promise<void> {
  const body = event.inbound.body as SlackButtonBody;
  await settleOnce(event, (tx) => decide(tx, event, body));
}

async function decide(tx: Sql, event: InboundEvent, body: SlackButtonBody): Promise<Settled> {
  const [first] = body.actions;
  const button = readButton(first?.action ?? null, first?.value ?? null);
  if (!button) return { status: "ignored", outcome: "no button of ours" };
  const { team, user, channel } = body;
  const asker = { team, user, channel };
  const { settled, reply } = await press(tx, event, asker, button);
  if (reply) await replyTo(tx, event.inbound, asker, reply);
  return settled;
}

async function press(
  tx: Sql,
  event: InboundEvent,
  asker: SlackAsker,
  button: Button,
): Promise<Answered> {
  if (button.kind === "order")
    return carryOutOrder(tx, event, asker, { ...button, reason: undefined });
  const kept = await readInbound(tx, button.inboundId);
  const command = kept?.body as SlackCommandBody | undefined;
  const isTheirs =
    kept?.source === "slack" &&
    kept.eventType === "slash_command" &&
    command !== undefined &&
    typedAtOf(kept) === button.typedAt &&
    command.team === asker.team &&
    command.user === asker.user;
  if (!command || !isTheirs)
    return refused("run it now", "this command is not there, or is another's");
  // Under the name of the command it is one run, however often the button is pressed.
  return decideCommand(tx, event, command, `slack:inbound-${button.inboundId}`);
}
