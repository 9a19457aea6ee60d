/**
 * Sessions of a run's role: its own; and where the server has none left to give, one of the executor's for the
 * time of a transaction, with the rights of the role. A full server is what some runbooks are for.
 */
import { Fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import { type Database, openDatabase } from "../../store/database.js";
import { actAsRunRole, type RunRole } from "../../store/run-role.js";

export interface RoleSessionsDeps {
  /** The executor's own. */
  readonly db: Database;
  /** Past a pooler, which knows its own users alone. */
  readonly directUrl: string;
  readonly ssl: boolean;
  readonly log: Logger;
}

/** One less than the role may have: one that is closing still counts. */
const POOL_MAX = 2;
const TOO_MANY_CONNECTIONS = "53300";

export function openRoleSessions(deps: RoleSessionsDeps, runId: string, role: RunRole): Database {
  const { db, log } = deps;
  const url = new URL(deps.directUrl);
  url.username = role.name;
  url.password = role.password;
  const own = openDatabase({
    ...{ url: url.toString(), poolMax: POOL_MAX, ssl: deps.ssl },
    applicationName: `algobrain-${runId}`,
    onIdleError: (error) => log.warn("database.connection-lost", { error: error.message }),
  });
  let isTold = false;
  const noteFull = (error: unknown): void => {
    if (!isServerFull(error)) throw error;
    if (!isTold) log.warn("run.session-borrowed", { run_id: runId });
    isTold = true;
  };
  return {
    query: async <Row extends object>(text: string, values?: readonly unknown[]) => {
      try {
        return await own.query<Row>(text, values);
      } catch (error) {
        noteFull(error);
        return actAsRunRole(db, role.name, (tx) => tx.query<Row>(text, values));
      }
    },
    transaction: async (work) => {
      try {
        return await own.transaction(work);
      } catch (error) {
        noteFull(error);
        return actAsRunRole(db, role.name, work);
      }
    },
    connect: (work) => own.connect(work),
    close: () => own.close(),
  };
}

/** Said when a session is asked for: nothing of the work was begun. */
function isServerFull(error: unknown): boolean {
  return error instanceof Fault && error.details.sqlstate === TOO_MANY_CONNECTIONS;
}
