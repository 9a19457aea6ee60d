/** The care of a rehearsed runbook, with an API of the test's own behind its critical paths. */
import type { SystemReader } from "../../src/runbook/port.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import type { RunbookGround } from "./runbook.js";
import { makeHandlerDeps } from "./runbook-world.js";

export function careWithPaths(
  ground: RunbookGround,
  criticalPaths: SystemReader["criticalPaths"],
): RunbookHandlerDeps["care"] {
  const { care } = makeHandlerDeps(ground.db, { directUrl: ground.url });
  return (sql, actor, programs) => {
    const { database, system } = care(sql, actor, programs);
    return { database, system: { ...system, criticalPaths } };
  };
}
