/**
 * Slash commands and buttons (EP-30, EP-31). Slack waits three seconds: so the request is verified, kept as
 * a row and acknowledged; acting comes afterwards, by a worker. Help is answered on the spot.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errorMessage } from "../base/fault.js";
import type { Message } from "../message/message.js";
import { toSlack } from "../message/slack-blocks.js";
import { type NewInbound, recordInbound } from "../store/inbound.js";
import { readCommand } from "./command.js";
import type { DoorDeps } from "./deps.js";
import { sendDoorProblem } from "./door-problem.js";
import { headerOf } from "./header.js";
import { answerAtOnce } from "./help.js";
import { readInteraction, readSlashCommand } from "./slack-request.js";
import { verifySlackSignature } from "./slack-signature.js";

/** Of Slack's 3 s; the rest is for the way back. */
const RECORD_MS = 2_000;

export function slackDoor(app: FastifyInstance, deps: DoorDeps): void {
  app.post("/slack/commands", async (request, reply) => {
    if (!isAuthentic(request, reply, deps)) return reply;
    return answerCommand(request.body as Buffer, reply, deps);
  });
  app.post("/slack/interactions", async (request, reply) => {
    if (!isAuthentic(request, reply, deps)) return reply;
    return answerInteraction(request.body as Buffer, reply, deps);
  });
}

/** False when the refusal was sent. */
function isAuthentic(request: FastifyRequest, reply: FastifyReply, deps: DoorDeps): boolean {
  if (deps.slackSigningSecret === null) {
    sendDoorProblem(
      request,
      reply,
      "not-configured",
      "Set SLACK_SIGNING_SECRET to open this door.",
    );
    return false;
  }
  const verdict = verifySlackSignature({
    secret: deps.slackSigningSecret,
    timestamp: headerOf(request, "x-slack-request-timestamp"),
    signature: headerOf(request, "x-slack-signature"),
    body: request.body as Buffer,
    now: deps.clock.now(),
  });
  if (verdict === "authentic") return true;
  deps.log.warn("door.forged", { door: "slack", verdict, address: request.ip });
  sendDoorProblem(
    request,
    reply,
    "signature-invalid",
    "X-Slack-Signature and X-Slack-Request-Timestamp must fit the body, and the time must be within 5 minutes.",
  );
  return false;
}

async function answerCommand(body: Buffer, reply: FastifyReply, deps: DoorDeps) {
  const inbound = readSlashCommand(body);
  if (!inbound) return ephemeral(reply, NOT_A_COMMAND);
  const { text } = inbound.body;
  const atOnce = answerAtOnce(deps.registry, readCommand(deps.registry, text));
  if (atOnce) return ephemeral(reply, atOnce);
  return ephemeral(reply, await record(inbound, text, deps));
}

async function answerInteraction(body: Buffer, reply: FastifyReply, deps: DoorDeps) {
  const inbound = readInteraction(body);
  // Slack shows no body here: what there is to say is said in the channel, by the worker.
  if (inbound) await record(inbound, "button", deps);
  return reply.code(200).send();
}

/** Keeps the request, and says honestly what became of it within the time that there is. */
async function record(inbound: NewInbound, asked: string, deps: DoorDeps): Promise<Message> {
  const { db, clock, log } = deps;
  const isInTime = new AbortController();
  const kept = db
    .transaction((tx) => recordInbound(tx, inbound))
    .then(
      ({ fresh }): Message => (fresh ? WORKING_ON_IT(asked) : ALREADY_HERE(asked)),
      (thrown: unknown): Message => {
        log.error("door.unrecorded", { door: "slack", error: errorMessage(thrown) });
        return NOT_KEPT;
      },
    );
  const late = clock.sleep(RECORD_MS, isInTime.signal).then(() => TOO_SLOW);
  const answer = await Promise.race([kept, late]);
  isInTime.abort();
  return answer;
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
const NOT_KEPT: Message = {
  tone: "bad",
  title: "Nothing was done",
  text: "The database cannot be reached, so the command was not kept. Try again in a minute; on the machine itself, `algobrain doctor` tells more.",
};
const TOO_SLOW: Message = {
  tone: "warning",
  title: "The database is slow",
  text: "Whether the command was kept is not known yet. If nothing appears in this channel within a minute, type it again.",
};
const NOT_A_COMMAND: Message = {
  tone: "warning",
  title: "This is no slash command",
  text: "Expected the fields team_id, user_id and channel_id.",
};

function ephemeral(reply: FastifyReply, message: Message): FastifyReply {
  return reply
    .code(200)
    .type("application/json; charset=utf-8")
    .send(JSON.stringify({ response_type: "ephemeral", ...toSlack(message) }));
}
