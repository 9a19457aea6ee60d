/**
 * The signed doors of chat and paging. Signatures are over the raw bytes, so inside this scope, and only
 * here, every body stays a Buffer. How many may come at once is bounded by the server around it.
 */
import type { FastifyInstance } from "fastify";
import type { DoorDeps } from "./deps.js";
import { pagerdutyDoor } from "./pagerduty-door.js";
import { slackDoor } from "./slack-door.js";

/** PagerDuty's largest event is 256 KB; Slack's requests are far smaller. */
const BODY_MAX_BYTES = 512 * 1024;

export async function routes(app: FastifyInstance, deps: DoorDeps): Promise<void> {
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer", bodyLimit: BODY_MAX_BYTES },
      async (_request: unknown, body: Buffer) => body,
    );
    // A request without a body has no content type: it is as empty as can be, and forged.
    scope.addHook("preValidation", async (request) => {
      request.body ??= Buffer.alloc(0);
    });
    slackDoor(scope, deps);
    pagerdutyDoor(scope, deps);
    done();
  });
}
