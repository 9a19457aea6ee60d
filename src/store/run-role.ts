/**
 * A login role for each run, member of the roles that hold its capabilities, dropped when the run ends
 * (docs/decisions/0040-a-login-role-a-run.md). Capability roles are made once and never changed: their name
 * carries a digest of what they grant and of the schema they grant it on, so that two versions of this
 * software side by side never fight over one role, and no two processes ever grant on one table at once.
 */
import { createHash, randomBytes } from "node:crypto";
import { assert } from "../base/assert.js";
import { errorMessage, fault } from "../base/fault.js";
import type { RunRef } from "../runbook/port.js";
import type { Capability } from "../runbook/power.js";
import { type Extent, grantStatements } from "./capability-grants.js";
import type { Database, Sql } from "./database.js";
import { scramVerifier } from "./scram-verifier.js";

/** Sessions of one run at once. */
export const RUN_SESSIONS_MAX = 3;
const STATEMENT_TIMEOUT_MS = 60_000;
/** A run that waits for a lock holds the next one up. */
const LOCK_TIMEOUT_MS = 10_000;
const IDLE_TRANSACTION_MAX_MS = 5_000;

export interface RunRole {
  readonly name: string;
  readonly password: string;
}

export interface RunRoleRequest extends RunRef {
  /** At least one. */
  readonly capabilities: readonly Capability[];
  readonly extent: Extent;
  /** Milliseconds after which nobody can log in with it any more, even if it is never dropped. */
  readonly lifeMs: number;
}

/** Null: our own user may not create roles here. Throws a Fault when the server refuses for another reason. */
export async function createRunRole(
  db: Database,
  request: RunRoleRequest,
): Promise<RunRole | null> {
  assert(request.capabilities.length > 0, "a run without capabilities needs no role");
  const ground = await readGround(db, request.lifeMs);
  if (ground.maker === null) return null;
  const memberOf = await ensureCapabilities(db, ground, request);
  const role = {
    name: asIdentifier(`algobrain_${ground.oid}_run_${request.seq}_${request.fence}`),
    password: randomBytes(24).toString("base64url"),
  };
  const verifier = scramVerifier(role.password, randomBytes(16));
  if (ground.maker === "owner") {
    const times = [STATEMENT_TIMEOUT_MS, LOCK_TIMEOUT_MS, IDLE_TRANSACTION_MAX_MS];
    await db.query("SELECT control.make_run_role($1, $2, $3::timestamptz, $4, $5, $6)", [
      ...[role.name, verifier, ground.until, RUN_SESSIONS_MAX, times, memberOf],
    ]);
    return role;
  }
  // One text is one transaction.
  await db.query(
    `DROP ROLE IF EXISTS ${role.name};
     CREATE ROLE ${role.name} LOGIN PASSWORD '${verifier}' VALID UNTIL '${ground.until}'
       CONNECTION LIMIT ${RUN_SESSIONS_MAX} IN ROLE ${memberOf.join(", ")};
     ALTER ROLE ${role.name} SET statement_timeout = ${STATEMENT_TIMEOUT_MS};
     ALTER ROLE ${role.name} SET lock_timeout = ${LOCK_TIMEOUT_MS};
     ALTER ROLE ${role.name} SET idle_in_transaction_session_timeout = ${IDLE_TRANSACTION_MAX_MS}`,
  );
  return role;
}

/**
 * One transaction of our own session with the rights of the role: for a server that has no session left to give.
 * The statements could take the rights back (`RESET ROLE`), so they must be our own.
 */
export function actAsRunRole<T>(
  db: Database,
  name: string,
  work: (tx: Sql) => Promise<T>,
): Promise<T> {
  const role = asIdentifier(name);
  return db.transaction(async (tx) => {
    // Who made a role may give it away, and so take it.
    if ((await readMaker(tx)) === "owner")
      await tx.query("SELECT control.lend_run_role($1)", [role]);
    else await tx.query(`GRANT ${role} TO CURRENT_USER`);
    await tx.query(`SET LOCAL ROLE ${role}`);
    return work(tx);
  });
}

/**
 * For what a run may have done outside its own statements, by programs or another connection: whether its role has
 * the capability is asked of the database. Throws a refused Fault `POWER_EXCEEDED`. Nobody but runs is bounded.
 */
export async function requireCapability(sql: Sql, capability: Capability): Promise<void> {
  const { rows } = await sql.query<{ may: boolean }>(
    `SELECT current_user !~ '^algobrain_[0-9]+_run_' OR EXISTS (
       SELECT FROM pg_auth_members m JOIN pg_roles held ON held.oid = m.roleid JOIN pg_roles me ON me.oid = m.member
       WHERE me.rolname = current_user AND held.rolname ~ $1) AS may`,
    [`^algobrain_[0-9]+_cap_${wordOf(capability)}_[0-9a-f]{8}$`],
  );
  if (rows[0]!.may) return;
  throw fault.refused(
    "POWER_EXCEEDED",
    `this needs ${capability}, which the runbook does not declare`,
    {
      hint: `name it in its \`touches\`, and have that reviewed`,
    },
  );
}

/** Whether a database user was made for a run: what it may not do is meant. */
export function isRunRole(user: string): boolean {
  return /^algobrain_[0-9]+_run_/.test(user);
}

/** What is still connected has no rights from then on. */
export async function dropRunRole(sql: Sql, name: string): Promise<void> {
  const role = asIdentifier(name);
  if ((await readMaker(sql)) === "owner")
    await sql.query("SELECT control.drop_run_role($1)", [role]);
  else await sql.query(`DROP ROLE IF EXISTS ${role}`);
}

/** False: runs cannot be bounded here, and those that change something are refused outside of `local`. */
export async function mayCreateRunRoles(sql: Sql): Promise<boolean> {
  return (await readMaker(sql)) !== null;
}

/** Who makes roles: we, or the owner of the tables by functions for us (decision 0062). Null: nobody here. */
type Maker = "self" | "owner" | null;

const MAKER = `(SELECT CASE WHEN me.rolsuper OR me.rolcreaterole THEN 'self' WHEN EXISTS (
    SELECT FROM pg_proc p JOIN pg_roles o ON o.oid = p.proowner
    WHERE p.oid = to_regprocedure('control.make_capability_role(text)') AND (o.rolsuper OR o.rolcreaterole)
      AND has_function_privilege(p.oid, 'EXECUTE')) THEN 'owner' END
  FROM pg_roles me WHERE me.rolname = current_user)`;

async function readMaker(sql: Sql): Promise<Maker> {
  return (await sql.query<{ maker: Maker }>(`SELECT ${MAKER} AS maker`)).rows[0]!.maker;
}

interface Ground {
  /** Roles belong to the whole server, so their names say whose they are. */
  readonly oid: number;
  /** Our own, which is the owner of what we make. */
  readonly user: string;
  readonly maker: Maker;
  /** By the server's clock, in UTC. */
  readonly until: string;
  /** The newest migration. */
  readonly schema: number;
}

async function readGround(sql: Sql, lifeMs: number): Promise<Ground> {
  const { rows } = await sql.query<Ground>(
    `SELECT d.oid, current_user AS user, ${MAKER} AS maker,
       to_char((clock_timestamp() + $1 * interval '1 ms') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"') AS until,
       (SELECT max(id) FROM control.migration) AS schema
     FROM pg_database d WHERE d.datname = current_database()`,
    [lifeMs],
  );
  return rows[0]!;
}

/** The names of their roles, made where they are missing. */
async function ensureCapabilities(
  db: Database,
  ground: Ground,
  { capabilities, extent }: Pick<RunRoleRequest, "capabilities" | "extent">,
): Promise<string[]> {
  const wanted = new Map(capabilities.map((it) => [capabilityRole(ground, it, extent), it]));
  if ((await missingOf(db, wanted)).length > 0)
    await db.transaction(async (tx) => {
      // Two grants at once on one table are an error of the server ("tuple concurrently updated").
      await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('algobrain capabilities', 0))");
      for (const [name, capability] of await missingOf(tx, wanted)) {
        if (ground.maker === "owner")
          await tx.query("SELECT control.make_capability_role($1)", [name]);
        else await tx.query(`CREATE ROLE ${name} NOLOGIN`);
        await tx.query(grantStatements(capability, extent, name));
      }
    });
  return [...wanted.keys()];
}

async function missingOf(
  sql: Sql,
  wanted: ReadonlyMap<string, Capability>,
): Promise<[string, Capability][]> {
  const { rows } = await sql.query<{ name: string }>(
    "SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)",
    [[...wanted.keys()]],
  );
  const there = new Set(rows.map(({ name }) => name));
  return [...wanted].filter(([name]) => !there.has(name));
}

/** Only who made a role may make others members of it: another database user makes its own. */
function capabilityRole(ground: Ground, capability: Capability, extent: Extent): string {
  const { oid, schema, user } = ground;
  const granted = `${schema}\n${user}\n${grantStatements(capability, extent, "role")}`;
  const digest = createHash("sha256").update(granted).digest("hex").slice(0, 8);
  return asIdentifier(`algobrain_${oid}_cap_${wordOf(capability)}_${digest}`);
}

function wordOf(capability: Capability): string {
  return capability.replaceAll(/[:-]/g, "_");
}

export interface SweptRoles {
  readonly dropped: number;
  /** With the reason: they are tried again at the next sweep. */
  readonly left: readonly string[];
}

/**
 * Drops the roles of runs that are no longer running under that fence (their executor was killed), and all
 * roles of databases that are gone. Roles of other living databases are left to theirs.
 */
export async function sweepRunRoles(db: Database): Promise<SweptRoles> {
  const { rows } = await db.query<{ name: string }>(
    `WITH named AS (
       SELECT r.rolname, m[1]::bigint AS database, m[2] AS run
       FROM pg_roles r,
         regexp_match(r.rolname, '^algobrain_(\\d{1,10})_(?:run_(\\d+_\\d+)|cap_[a-z_]+_[0-9a-f]{8})$') AS m
       WHERE m IS NOT NULL
     )
     SELECT n.rolname AS name FROM named n
     WHERE NOT EXISTS (SELECT FROM pg_database d WHERE d.oid::bigint = n.database)
        OR (n.run IS NOT NULL
            AND n.database = (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database())
            AND NOT EXISTS (SELECT FROM control.run WHERE run.status = 'running'
                            AND n.run = run.seq::text || '_' || run.fence::text))
     ORDER BY n.run IS NULL, n.rolname`,
  );
  const left: string[] = [];
  for (const { name } of rows) {
    try {
      await dropRunRole(db, name);
    } catch (error) {
      // Another user's role, or one that was dropped in this moment: the others go all the same.
      left.push(`${name}: ${errorMessage(error)}`);
    }
  }
  return { dropped: rows.length - left.length, left };
}

/** Names come from numbers and our own words alone: nothing in them could be read as SQL. */
function asIdentifier(name: string): string {
  assert(/^[a-z][a-z0-9_]{0,62}$/.test(name), `${name} is no name of a role of ours`);
  return name;
}
