/**
 * Slash commands and buttons over HTTP (EP-30, EP-31): the signature first, over the raw bytes; what is authentic
 * goes the way that Socket Mode goes, too.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { toSlack } from "../message/slack-blocks.js";
import type { DoorDeps } from "./deps.js";
import { leavePlaceOfStrangers } from "./door-place.js";
import { sendDoorProblem } from "./door-problem.js";
import { headerOf } from "./header.js";
import { acceptSlack, type SlackKind } from "./slack-accept.js";
import { fieldsOf } from "./slack-request.js";
import { verifySlackSignature } from "./slack-signature.js";

const PATHS: Readonly<Record<SlackKind, string>> = {
  command: "/slack/commands",
  interaction: "/slack/interactions",
};

export function slackDoor(app: FastifyInstance, deps: DoorDeps): void {
  for (const kind of ["command", "interaction"] as const)
    app.post(PATHS[kind], async (request, reply) => {
      if (!isAuthentic(request, reply, deps)) return reply;
      leavePlaceOfStrangers(request);
      const message = await acceptSlack(deps, kind, fieldsOf(request.body as Buffer));
      if (message === null) return reply.code(200).send();
      return reply
        .code(200)
        .type("application/json; charset=utf-8")
        .send(JSON.stringify({ response_type: "ephemeral", ...toSlack(message) }));
    });
}

/** False when the refusal was sent. */
function isAuthentic(request: FastifyRequest, reply: FastifyReply, deps: DoorDeps): boolean {
  if (deps.slackSigningSecret === null) {
    const hint = "Set SLACK_SIGNING_SECRET to open this door.";
    sendDoorProblem(request, reply, "not-configured", hint);
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
