/** How far automation may go with each runbook, and the word of a person who has looked. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import { PROMOTION_LEVELS } from "../../policy/automation.js";
import { findPerson } from "../../runbook/identity.js";
import { giveTrust } from "../../store/give-trust.js";
import { type TrustView, viewTrust } from "../../store/trust-list.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";
import { claimOf } from "../run-actor.js";
import { Nullable, Reason } from "../schema.js";

const Level = Type.String({ enum: [...PROMOTION_LEVELS] });
const PromotionSchema = Type.Object({
  runbook: Type.String(),
  danger: Type.String({ enum: ["R", "V", "D"] }),
  level: Level,
  reason: Type.String({ description: "what the level rests on" }),
  missing: Nullable(Type.String({ description: "what the next level needs" })),
  grant: Level,
  automations: Type.Array(Type.String()),
  breaker: Nullable(Type.String({ description: "why it does not start by itself at all" })),
});
const GivenSchema = Type.Object({
  ...PromotionSchema.properties,
  not_given: Nullable(Type.String({ description: "why it did not get all of it back" })),
});
const Named = Type.Object({ runbook: Type.String({ minLength: 1, maxLength: 64 }) }, closed);
const ResetSchema = Type.Object({ reason: Reason }, closed);

export function promotionRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/promotions",
    {
      schema: {
        summary: "What each runbook has earned: started by people, agreed to by people, or alone",
        response: { 200: Type.Object({ promotions: Type.Array(PromotionSchema) }) },
      },
    },
    async () => {
      const policy = deps.policy();
      const promotions: TrustView[] = [];
      for (const entry of deps.runbooks.list())
        promotions.push(await viewTrust(deps.db, entry, policy));
      return { promotions };
    },
  );
  app.post(
    "/api/v1/promotions/:runbook/reset",
    {
      schema: {
        summary:
          "Somebody has looked: its breaker is closed, and what the policy grants counts again",
        params: Named,
        body: ResetSchema,
        response: { 200: GivenSchema },
      },
    },
    async (request) => {
      const { runbook } = request.params as Static<typeof Named>;
      const { reason } = request.body as Static<typeof ResetSchema>;
      const entry = deps.runbooks.find(runbook);
      if (!entry) throw new HttpProblem("not-found", `There is no runbook ${runbook}.`);
      const policy = deps.policy();
      const person = findPerson(policy.access, claimOf(request))?.name ?? null;
      const giver = { by: actorOf(request), person, reason };
      const left = await deps.db.transaction((tx) => giveTrust(tx, entry, giver, policy));
      return { ...(await viewTrust(deps.db, entry, policy)), not_given: left };
    },
  );
}
