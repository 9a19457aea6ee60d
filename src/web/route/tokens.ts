/** Taking a token back before it ends (design 8.9). */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { Reason, Time } from "../schema.js";
import { takeBackToken } from "../take-back.js";

const RevocationSchema = Type.Object(
  {
    jti: Type.String({
      pattern: "^[\\x21-\\x2d\\x2f-\\x7e]{1,200}$",
      description: "the id in the token, never the token itself",
    }),
    reason: Reason,
  },
  closed,
);

const RevokedSchema = Type.Object({
  jti: Type.String(),
  changed: Type.Boolean({ description: "false when it was taken back already" }),
  until: { ...Time, description: "when the token has ended by itself at the latest" },
});

export function tokenRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/tokens/revocations",
    {
      schema: {
        summary: "Take a token back; every process refuses it within a second",
        body: RevocationSchema,
        response: { 200: RevokedSchema },
      },
    },
    async (request) => {
      const { jti, reason } = request.body as Static<typeof RevocationSchema>;
      const now = deps.clock.now();
      const act = { tokenId: jti, reason, by: actorOf(request), now };
      const { changed, until } = await takeBackToken(deps.db, act);
      return { jti, changed, until: until.toISOString() };
    },
  );
}
