/**
 * What one run may do to the database, enforced by the database: its reader and writer work as a login role
 * with the rights that its runbook declares (`touches`), made for this run and gone after it. The
 * executor's own pool keeps the record, the lease and the locks: a run cannot write its own record.
 */
import type { Clock } from "../../base/clock.js";
import { MINUTE_MS } from "../../base/duration.js";
import { errorMessage, Fault, fault } from "../../base/fault.js";
import type { Runbook } from "../../runbook/define.js";
import type { Capability, RunPower } from "../../runbook/power.js";
import type { Run } from "../../runbook/run.js";
import type { Extent } from "../../store/capability-grants.js";
import type { Database } from "../../store/database.js";
import { createRunRole, dropRunRole, type RunRole } from "../../store/run-role.js";
import { openRoleSessions, type RoleSessionsDeps } from "./role-sessions.js";

export interface PowerDeps extends RoleSessionsDeps {
  /** Only where it is `local` may a run act with the executor's own rights, when the server gives us no roles. */
  readonly environment: string;
  readonly clock: Clock;
}

export interface OpenedPower {
  /** For the reader and the writer of the run, and nothing else. */
  readonly db: Database;
  readonly power: RunPower;
  /** To be taken out of all that is kept of the run. */
  readonly secrets: readonly string[];
  /** Ends its sessions and its role. Never throws: what is left is swept later. */
  close(): Promise<void>;
}

type Declared = Pick<Runbook, "name" | "danger" | "touches">;

/** After the run's deadline: undo has one of its own (ten minutes at most), and the end is written. */
const LIFE_AFTER_DEADLINE_MS = 11 * MINUTE_MS;
/** A step that was left behind may hold a session for longer; its rights end with the role. */
const CLOSE_MS = 1_000;
const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Throws a refused Fault `POWER_NOT_ENFORCED` where a run that changes something would act with the executor's
 * own rights, outside of `local`.
 */
export async function openPower(
  deps: PowerDeps,
  run: Run,
  runbook: Declared,
): Promise<OpenedPower> {
  const capabilities = runbook.touches.database;
  if (capabilities.length === 0) return powerless(runbook);
  // A dry run and a runbook that only reads get nothing that changes, whatever is declared.
  const extent = run.dryRun || runbook.danger === "R" ? "reading" : "whole";
  const role = await createRunRole(deps.db, {
    ...{ seq: run.seq, fence: run.fence, capabilities, extent },
    lifeMs: lifeOf(deps, run),
  });
  if (!role) return asOurselves(deps, run, runbook);
  const opened = asRole(deps, run, { runbook: runbook.name, capabilities, extent }, role);
  try {
    await admit(opened.db, role.name);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** A pooler in between may know no new role, or worse: lend everybody a session of its own user. */
async function admit(db: Database, role: string): Promise<void> {
  const found = await whoIsIn(db);
  if (found === role) return;
  throw fault.refused(
    "POWER_NOT_ENFORCED",
    found === null
      ? "the server did not let in the role of the run"
      : `the session of the run's role is ${found}'s: a pooler stands in between`,
    {
      hint: "DATABASE_DIRECT_URL must lead to the server itself, past any pooler, and its pg_hba.conf must let in roles with passwords",
    },
  );
}

/** Null: nobody by that name is let in. */
async function whoIsIn(db: Database): Promise<string | null> {
  try {
    const { rows } = await db.query<{ user: string }>("SELECT current_user AS user");
    return rows[0]!.user;
  } catch (error) {
    if (error instanceof Fault && isNotLetIn(error)) return null;
    throw error;
  }
}

/** Class 28 of the server (invalid authorization); PgBouncer's own words for a user that it does not know. */
function isNotLetIn({ details, message }: Fault): boolean {
  return (
    /^28/.test(String(details.sqlstate)) || /no such user|auth(entication)? failed/i.test(message)
  );
}

function lifeOf({ clock }: PowerDeps, { deadlineAt }: Run): number {
  const leftMs = deadlineAt === null ? 0 : deadlineAt.getTime() - clock.now().getTime();
  return Math.max(0, leftMs) + LIFE_AFTER_DEADLINE_MS;
}

function asRole(deps: PowerDeps, run: Run, bounds: Bounds, role: RunRole): OpenedPower {
  const sessions = openRoleSessions(deps, run.id, role);
  return {
    db: inWords(sessions, bounds),
    power: { role: role.name, enforced: true },
    secrets: [role.password],
    close: async () => {
      try {
        await within(deps.clock, CLOSE_MS, sessions.close());
        await dropRunRole(deps.db, role.name);
      } catch (error) {
        deps.log.warn("run.role-left", { run_id: run.id, error: errorMessage(error) });
      }
    },
  };
}

/** Resolves with the work, or without it. */
async function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, clock.sleep(ms, done.signal)]);
  } finally {
    done.abort();
  }
}

function asOurselves(
  { db, environment, log }: PowerDeps,
  run: Run,
  runbook: Declared,
): OpenedPower {
  if (environment !== "local" && runbook.danger !== "R" && !run.dryRun)
    throw fault.refused(
      "POWER_NOT_ENFORCED",
      `${runbook.name} changes something, and the database user may not create the role that would bound it`,
      { hint: "give it the right: ALTER ROLE <user of DATABASE_URL> CREATEROLE" },
    );
  log.warn("run.unbounded", { run_id: run.id, runbook: runbook.name });
  return {
    db,
    power: { role: null, enforced: false },
    secrets: [],
    close: async () => {},
  };
}

/** Who declares nothing gets nothing. */
function powerless({ name }: Declared): OpenedPower {
  const refuse = async (): Promise<never> => {
    throw fault.refused("POWER_EXCEEDED", `${name} declares to touch nothing of the database`, {
      hint: "name what it touches in its file: touches: { database: [...] }",
    });
  };
  return {
    db: { query: refuse, transaction: refuse, connect: refuse, close: async () => {} },
    power: { role: null, enforced: true },
    secrets: [],
    close: async () => {},
  };
}

interface Bounds {
  readonly runbook: string;
  readonly capabilities: readonly Capability[];
  readonly extent: Extent;
}

/** The server's refusal, in words that say what to do. */
function inWords(db: Database, bounds: Bounds): Database {
  const say = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explain(error, bounds);
    }
  };
  return {
    query: (text, values, name) => say(db.query(text, values, name)),
    transaction: (work) => say(db.transaction(work)),
    connect: (work) => say(db.connect(work)),
    close: () => db.close(),
  };
}

function explain(error: unknown, { runbook, capabilities, extent }: Bounds): unknown {
  if (!(error instanceof Fault) || error.details.sqlstate !== INSUFFICIENT_PRIVILEGE) return error;
  const may = `it may ${capabilities.join(", ")}`;
  const hint =
    extent === "whole"
      ? `${may}: what else it needs must be named in its \`touches\` and reviewed`
      : `${may}, and of that only what reads: a dry run and a runbook of danger R change nothing`;
  return fault.refused(
    "POWER_EXCEEDED",
    `${runbook} reached further than it may: ${error.message}`,
    {
      ...{ cause: error, hint },
      details: { sqlstate: INSUFFICIENT_PRIVILEGE },
    },
  );
}
