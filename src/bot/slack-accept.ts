/**
 * One way in for what Slack sends, over HTTP or Socket Mode: it is kept as a row, and answered within the three
 * seconds that Slack waits; acting comes afterwards, by a worker. Help is answered on the spot, and an order to
 * stop is carried out here, since it must work with the database gone.
 */
import { errorMessage } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { Message } from "../message/message.js";
import { type NewInbound, recordInbound } from "../store/inbound.js";
import { readCommand } from "./command.js";
import type { DoorDeps } from "./deps.js";
import { answerAtOnce } from "./help.js";
import { readInteraction, readSlashCommand } from "./slack-request.js";
import { stopAtTheDoor } from "./slack-stop.js";

export type SlackKind = "command" | "interaction";

/** Of Slack's 3 s; the rest is for the journal and the way back. */
const RECORD_MS = 1_500;
/** Longer texts are only quoted in part. */
const QUOTE_MAX = 200;

/** What only the asker is told; null: nothing, as Slack shows no answer to a button. Never throws. */
export async function acceptSlack(
  deps: DoorDeps,
  kind: SlackKind,
  fields: JsonObject,
): Promise<Message | null> {
  if (kind === "command") return acceptCommand(deps, fields);
  const inbound = readInteraction(fields);
  if (inbound) await record(deps, inbound, "button");
  return null;
}

async function acceptCommand(deps: DoorDeps, fields: JsonObject): Promise<Message> {
  const inbound = readSlashCommand(fields, deps.clock.now());
  if (!inbound) return NOT_A_COMMAND;
  const { text } = inbound.body;
  const command = readCommand(deps.registry, text);
  const atOnce = answerAtOnce(deps.registry, command);
  if (atOnce) return atOnce;
  if (command.kind === "stop" && deps.stop && deps.policy)
    return stopAtTheDoor(
      { ...deps, stop: deps.stop, policy: deps.policy },
      inbound,
      command.reason,
    );
  return record(deps, inbound, text.slice(0, QUOTE_MAX));
}

/** Keeps the request, and says honestly what became of it within the time that there is. */
async function record(deps: DoorDeps, inbound: NewInbound, asked: string): Promise<Message> {
  const { db, clock, log } = deps;
  const isInTime = new AbortController();
  const kept = db
    .transaction((tx) => recordInbound(tx, inbound))
    .then(
      ({ fresh }): Message => (fresh ? WORKING_ON_IT(asked) : ALREADY_HERE(asked)),
      (thrown: unknown): null => {
        log.error("door.unrecorded", { door: "slack", error: errorMessage(thrown) });
        return null;
      },
    );
  // Both may keep it: the row is unique, so what the journal brings later finds it there.
  const late = clock.sleep(RECORD_MS, isInTime.signal).then(() => null);
  const answer = await Promise.race([kept, late]);
  isInTime.abort();
  return answer ?? journalInstead(deps, inbound);
}

async function journalInstead({ journal, log }: DoorDeps, inbound: NewInbound): Promise<Message> {
  if (!journal) return NOT_KEPT;
  const { source, deliveryId, eventType, body } = inbound;
  try {
    await journal.append({
      ...{ kind: "inbound", key: `${source}/${deliveryId}` },
      ...{ source, deliveryId, eventType, body },
    });
    log.warn("door.journalled", { door: "slack", delivery: deliveryId });
    return KEPT_HERE;
  } catch (thrown) {
    log.error("door.unjournalled", { door: "slack", error: errorMessage(thrown) });
    return NOT_KEPT;
  }
}

const WORKING_ON_IT = (asked: string): Message => ({
  tone: "info",
  title: `Working on it: ${asked}`,
  text: "The outcome appears in this channel.",
});
const ALREADY_HERE = (asked: string): Message => ({
  tone: "info",
  title: `Already here: ${asked}`,
  text: "Slack sent this once before; it is being worked on and was not started twice.",
});
const KEPT_HERE: Message = {
  tone: "warning",
  title: "Kept on this machine: the database is away",
  text: "It is carried out when the database is back; if that takes longer than 10 minutes, you are asked again first. `/algobrain stop` works meanwhile.",
};
const NOT_KEPT: Message = {
  tone: "bad",
  title: "Nothing was done",
  text: "The database cannot be reached, so the command was not kept. Try again in a minute; on the machine itself, `algobrain doctor` tells more.",
};
const NOT_A_COMMAND: Message = {
  tone: "warning",
  title: "This is no slash command",
  text: "Expected the fields team_id, user_id and channel_id.",
};
