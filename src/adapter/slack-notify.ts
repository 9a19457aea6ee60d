/** Notices of the outbox as posts of a channel. */
import type { Delivered, Delivery, Notifier } from "../alert/port.js";
import { fault } from "../base/fault.js";
import type { Chat } from "../runbook/port.js";

export function createSlackNotifier(chat: Chat): Notifier {
  return { kind: "slack", deliver: (delivery, signal) => deliver(chat, delivery, signal) };
}

async function deliver(chat: Chat, delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
  const { receiver } = delivery;
  if (receiver.kind !== "slack") {
    throw fault.data("SLACK_WRONG_RECEIVER", `receiver "${receiver.name}" is no Slack channel`);
  }
  const { channel, ts } = await chat.post(receiver.channel, delivery.message, signal);
  return { reference: `${channel}/${ts}` };
}
