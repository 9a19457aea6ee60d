/** Notices of the outbox as posts of a channel: twice said is twice read, so what may have arrived is looked for. */
import type { Delivered, Delivery, Notifier } from "../alert/port.js";
import { fault } from "../base/fault.js";
import type { Chat, ChatAt } from "../runbook/port.js";

export function createSlackNotifier(chat: Chat): Notifier {
  return {
    kind: "slack",
    deliver: async (delivery, signal) => {
      const target = { channel: channelOf(delivery), ...keyOf(delivery) };
      return deliveredAt(await chat.post(target, delivery.message, signal));
    },
    find: async (delivery, since, signal) => {
      const { key } = keyOf(delivery);
      if (key === undefined) return null;
      const found = await chat.find({ channel: channelOf(delivery) }, key, since, signal);
      // Where it cannot be told, a page said twice is better than one said never.
      return typeof found === "string" ? null : deliveredAt(found);
    },
  };
}

function channelOf({ receiver }: Delivery): string {
  if (receiver.kind === "slack") return receiver.channel;
  throw fault.data("SLACK_WRONG_RECEIVER", `receiver "${receiver.name}" is no Slack channel`);
}

/** Unique over installations that share a workspace: their outboxes count alike. */
function keyOf({ noticeId, dedupKey }: Delivery): { readonly key?: string } {
  return noticeId === null ? {} : { key: `notice:${noticeId}:${dedupKey}` };
}

function deliveredAt({ channel, ts }: ChatAt): Delivered {
  return { reference: `${channel}/${ts}` };
}
