/** The one switch that stops every runbook. It is set on this machine also while the database is away. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { Fault } from "../../base/fault.js";
import { closed, Type } from "../../base/type.js";
import type { StopOrder, StopReached } from "../../runbook/stop.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";
import { Nullable, Reason, Time } from "../schema.js";

const OrderSchema = Type.Object({ reason: Reason }, closed);
const StoppedSchema = Type.Object({
  stopped: Nullable(
    Type.Object({
      by: Type.String(),
      reason: Type.String(),
      at: Time,
      from: Type.String({ description: "database, or the file of this machine" }),
    }),
  ),
});
const ReachedSchema = Type.Object({
  file: Type.Boolean({ description: "this machine" }),
  database: Type.Boolean({ description: "all machines" }),
  detail: Type.String(),
});

export function stopRoutes(app: FastifyInstance, { stop }: WebDeps): void {
  app.get(
    "/api/v1/stop",
    { schema: { summary: "Whether runbooks are stopped", response: { 200: StoppedSchema } } },
    async () => ({ stopped: await stop.read() }),
  );
  app.post(
    "/api/v1/stop",
    {
      schema: {
        summary: "Stop every runbook: no further step begins, and those at work are ended",
        body: OrderSchema,
        response: { 200: ReachedSchema },
      },
    },
    async (request) => {
      const { reason } = request.body as Static<typeof OrderSchema>;
      const reached = await setOrSay(stop, { by: actorOf(request), reason });
      return { ...reached, detail: sayStopped(reached) };
    },
  );
  app.delete(
    "/api/v1/stop",
    {
      schema: {
        summary: "Let runbooks go on; what was stopped is asked for again",
        body: OrderSchema,
        response: { 200: ReachedSchema },
      },
    },
    async (request) => {
      const { reason } = request.body as Static<typeof OrderSchema>;
      const reached = await stop.clear({ by: actorOf(request), reason });
      return { ...reached, detail: sayResumed(reached) };
    },
  );
}

/** Neither place could be written: people must know it now, and what to do instead. */
async function setOrSay(stop: WebDeps["stop"], order: StopOrder): Promise<StopReached> {
  try {
    return await stop.set(order);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== "STOP_NOT_SET") throw thrown;
    throw new HttpProblem(
      "database-unavailable",
      `Nothing is stopped: ${thrown.message}; ${thrown.hint}.`,
      {
        cause: thrown,
      },
    );
  }
}

function sayStopped({ file, database }: StopReached): string {
  if (file && database) return "Runbooks are stopped on all machines.";
  return database
    ? "Runbooks are stopped by the database; the stop file of this machine could not be written."
    : "Runbooks are stopped on this machine; the others learn of it when the database is back.";
}

function sayResumed({ file, database }: StopReached): string {
  if (file && database) return "Runbooks may run again on all machines.";
  if (database)
    return "The stop file of this machine could not be removed: it still stops this machine.";
  return "The database does not answer, and a stop that stands in it holds: order it again when it is back.";
}
