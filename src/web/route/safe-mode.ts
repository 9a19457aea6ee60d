/** The way out of safe mode for a person. Whether it is on, /health says. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";
import { LeaveSafeModeSchema, SafeModeLeftSchema } from "../schema.js";

export function safeModeRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/safe-mode/exit",
    {
      schema: {
        summary: "Leave safe mode after checks of the data; 409 when they fail",
        body: LeaveSafeModeSchema,
        response: { 200: SafeModeLeftSchema },
      },
    },
    async (request) => {
      const { reason, force = false } = request.body as Static<typeof LeaveSafeModeSchema>;
      const left = await deps.leaveSafeMode({ by: actorOf(request), reason, force });
      if (left.outcome !== "checks-failed") {
        return { active: false, changed: left.outcome === "left" };
      }
      const errors = left.broken.map(({ invariant, count, examples }) => ({
        pointer: "",
        message: `${invariant}: ${count} rows, such as ${examples.join(", ")}`,
      }));
      throw new HttpProblem(
        "state-conflict",
        'The data is not whole, so safe mode stays on: repair it, or send {"force": true} to leave all the same.',
        { errors },
      );
    },
  );
}
