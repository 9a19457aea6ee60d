/** Answers to one person, as rows that are posted later: an answer is given once, whatever Slack does. */
import type { Message } from "../message/message.js";
import { sayInChat } from "../store/chat-posts.js";
import type { Sql } from "../store/database.js";
import type { Inbound } from "../store/inbound.js";

/** Where the question came from: without a channel it is answered in the person's own conversation with the app. */
export interface Asker {
  readonly channel: string | null;
  readonly user: string;
}

/** In the transaction that decides: what was decided and what is said of it are one. */
export async function replyTo(
  tx: Sql,
  inbound: Pick<Inbound, "id">,
  { channel, user }: Asker,
  message: Message,
): Promise<void> {
  await sayInChat(tx, {
    key: `inbound:${inbound.id}`,
    purpose: "inbound",
    runSeq: null,
    channel: channel ?? user,
    ...(channel === null ? {} : { ephemeralUser: user }),
    body: message,
  });
}
