/** What runs hold at this moment: whom to ask when one waits. */
import type { FastifyInstance } from "fastify";
import { Type } from "../../base/type.js";
import { listLocks } from "../../store/target-locks.js";
import type { WebDeps } from "../deps.js";
import { LockSchema, toLockDocument } from "../run-document.js";

export function lockRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/locks",
    {
      schema: {
        summary: "Targets that runs hold, with their holders",
        response: { 200: Type.Object({ locks: Type.Array(LockSchema) }) },
      },
    },
    async () => ({ locks: (await listLocks(deps.db)).map(toLockDocument) }),
  );
}
