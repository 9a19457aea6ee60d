/**
 * Two login users of the services, members of one group that holds what the runtime needs, and no more: whoever
 * migrates owns the tables (HB-aws-24, X-33, docs/decisions/0062-two-database-users.md). Made and granted by the
 * owner, as often as one likes.
 */
import { randomBytes } from "node:crypto";
import { Fault, fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import { grantsTo } from "./application-grants.js";
import type { Database, Sql } from "./database.js";
import { inMigrationTransaction } from "./migrate.js";
import { scramVerifier } from "./scram-verifier.js";

export const DEFAULT_GROUP = "algobrain_app";
/** Unquoted names of Postgres, with room for `_a`. */
const GROUP_NAME = /^[a-z][a-z0-9_]{0,60}$/;
/** Printable ASCII: nothing that a server would normalise (RFC 4013), and nothing that a line could end with. */
const PASSWORD = /^[\x21-\x7e]{16,200}$/;
const INSUFFICIENT_PRIVILEGE = "42501";

export interface UsersRequest {
  /** The users are this with `_a` and `_b` after it. */
  readonly group: string;
  /** Lets one of the two log in. Null: who could not before cannot now. */
  readonly login: { readonly user: "a" | "b"; readonly password: SecretText } | null;
  readonly dryRun: boolean;
}

export interface UsersReport {
  readonly group: string;
  readonly users: readonly { readonly name: string; readonly mayLogIn: boolean }[];
  /** What was done, or would be, in order; never a password, nor what the server keeps of one. */
  readonly statements: readonly string[];
  /** What the users go without, and what that means. */
  readonly lacks: readonly string[];
}

interface Ground {
  readonly user: string;
  /** Of the server: 180000 is 18.0. */
  readonly version: number;
  readonly isSuperuser: boolean;
  readonly mayCreateRoles: boolean;
  readonly mayCreateDatabases: boolean;
  readonly ownsTables: boolean;
  readonly mayShowStatistics: boolean;
}

/** Throws refused Faults `DATABASE_USERS_REFUSED` (nothing was changed) and `MIGRATION_FAILED`, which says the same. */
export async function makeApplicationUsers(
  db: Database,
  request: UsersRequest,
): Promise<UsersReport> {
  checkRequest(request);
  return db.connect((sql) =>
    inMigrationTransaction(sql, "of the database users", async () => {
      const ground = await readGround(sql);
      refuseGround(ground);
      const { group, login, dryRun } = request;
      const statements = [
        ...(await roleStatements(sql, ground, group)),
        ...(await grantsTo(sql, group)),
      ];
      if (!dryRun) await runAll(sql, statements);
      if (login !== null) statements.push(await letIn(sql, group, login, dryRun));
      return {
        ...{ group, statements, lacks: lacksOf(ground) },
        users: await readUsers(sql, group, login?.user ?? null),
      };
    }),
  );
}

/**
 * Tables and functions of later migrations, granted to every group that has this database. Empty, and nothing is
 * touched, where there is none, or where the tables are another's.
 */
export async function grantToGroups(db: Database): Promise<readonly string[]> {
  return db.connect((sql) =>
    inMigrationTransaction(sql, "of the rights of database users", async () => {
      if (!(await readGround(sql)).ownsTables) return [];
      const groups = await listGroups(sql);
      for (const group of groups) await runAll(sql, await grantsTo(sql, group));
      return groups;
    }),
  );
}

/** Roles belong to the whole server: that a group has this database shows in the rights of our schema. */
async function listGroups(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `SELECT DISTINCT g.rolname AS name FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles g ON g.oid = a.grantee
     WHERE n.nspname = 'control' AND NOT g.rolcanlogin AND g.rolname !~ '^algobrain_[0-9]+_cap_' AND 2 = (
       SELECT count(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
       WHERE m.roleid = g.oid AND u.rolname IN (g.rolname || '_a', g.rolname || '_b'))
     ORDER BY 1`,
  );
  return rows.map(({ name }) => name).filter((name) => GROUP_NAME.test(name));
}

function checkRequest({ group, login }: UsersRequest): void {
  if (!GROUP_NAME.test(group))
    throw refused(
      `found "${group.slice(0, 70)}" as the group, expected a letter, then up to 60 of a to z, 0 to 9 and _`,
      DEFAULT_GROUP,
    );
  if (login !== null && !PASSWORD.test(login.password.reveal()))
    throw refused(
      "the password is not usable: expected 16 to 200 printable characters of ASCII, without blanks",
      "openssl rand -hex 24",
    );
}

async function readGround(sql: Sql): Promise<Ground> {
  const { rows } = await sql.query<Ground>(
    `SELECT current_user AS user, current_setting('server_version_num')::int AS version,
       rolsuper AS "isSuperuser", rolsuper OR rolcreaterole AS "mayCreateRoles", rolsuper OR rolcreatedb AS "mayCreateDatabases",
       coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = to_regclass('control.migration')), false) AS "ownsTables",
       rolsuper OR pg_has_role('pg_read_all_stats', 'MEMBER WITH ADMIN OPTION') AS "mayShowStatistics"
     FROM pg_roles WHERE rolname = current_user`,
  );
  return rows[0]!;
}

function refuseGround({ user, ownsTables, mayCreateRoles }: Ground): void {
  if (!ownsTables)
    throw refused(
      `${user} does not own the tables of AlgoBrain here`,
      "algobrain db migrate, and then this, with the DATABASE_URL of the user who migrates",
    );
  if (!mayCreateRoles)
    throw refused(`${user} may not create users`, `ALTER ROLE ${user} CREATEROLE, by whoever may`);
}

async function roleStatements(sql: Sql, ground: Ground, group: string): Promise<string[]> {
  const there = await readRoles(sql, group);
  if (there.get(group)?.isPowerful || there.get(group)?.mayLogIn)
    throw refused(
      `there is a role ${group} that may log in or has powers of its own, expected a group that is made here`,
      "algobrain db users --group ANOTHER_NAME",
    );
  // Roles of runs are made by functions that act as the owner.
  const powers = ground.mayCreateDatabases ? "NOCREATEROLE CREATEDB" : "NOCREATEROLE";
  const statements = there.has(group) ? [] : [`CREATE ROLE ${group} NOLOGIN`];
  for (const user of usersOf(group)) {
    const role = there.get(user);
    if (role?.isSuperuser)
      throw refused(
        `${user} is a superuser, whom nothing bounds`,
        `ALTER ROLE ${user} NOSUPERUSER`,
      );
    if (!role) statements.push(`CREATE ROLE ${user} NOLOGIN ${powers} IN ROLE ${group}`);
    else statements.push(`ALTER ROLE ${user} ${powers}`, `GRANT ${group} TO ${user}`);
    // Their sessions are listed and ended by functions that act as the owner.
    if (!ground.isSuperuser) statements.push(`GRANT ${user} TO CURRENT_USER`);
  }
  if (ground.mayShowStatistics) statements.push(`GRANT pg_read_all_stats TO ${group}`);
  return statements;
}

interface Role {
  readonly name: string;
  readonly mayLogIn: boolean;
  readonly isSuperuser: boolean;
  readonly isPowerful: boolean;
}

async function readRoles(sql: Sql, group: string): Promise<Map<string, Role>> {
  const { rows } = await sql.query<Role>(
    `SELECT rolname AS name, rolcanlogin AS "mayLogIn", rolsuper AS "isSuperuser",
       rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS "isPowerful"
     FROM pg_roles WHERE rolname = ANY ($1)`,
    [[group, ...usersOf(group)]],
  );
  return new Map(rows.map((role) => [role.name, role]));
}

async function readUsers(sql: Sql, group: string, letIn: "a" | "b" | null) {
  const there = await readRoles(sql, group);
  return usersOf(group).map((name) => ({
    name,
    mayLogIn: there.get(name)?.mayLogIn === true || name === `${group}_${letIn}`,
  }));
}

/** The server is told what it keeps of the password, not the password: its log of statements holds none. */
async function letIn(
  sql: Sql,
  group: string,
  { user, password }: NonNullable<UsersRequest["login"]>,
  dryRun: boolean,
): Promise<string> {
  const alter = `ALTER ROLE ${group}_${user} LOGIN PASSWORD`;
  const verifier = scramVerifier(password.reveal(), randomBytes(16));
  if (!dryRun) await runAll(sql, [`${alter} '${verifier}'`]);
  return `${alter} (not shown)`;
}

async function runAll(sql: Sql, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    try {
      await sql.query(statement);
    } catch (error) {
      if (!(error instanceof Fault) || error.details.sqlstate !== INSUFFICIENT_PRIVILEGE)
        throw error;
      const [what] = statement.split(" PASSWORD ");
      throw fault.refused("DATABASE_USERS_REFUSED", `may not: ${what}: ${error.message}`, {
        hint: "roles that others made must be handed over: GRANT … TO this user WITH ADMIN OPTION",
      });
    }
  }
}

function lacksOf({ version, mayCreateDatabases, mayShowStatistics }: Ground): string[] {
  const lacks: string[] = [];
  if (!mayCreateDatabases)
    lacks.push("CREATEDB: tests of backups and restore-database are refused");
  if (!mayShowStatistics)
    lacks.push("pg_read_all_stats: AR-101 does not see transactions of other users");
  if (version < 170_000)
    lacks.push("MAINTAIN (PostgreSQL 17): vacuum is autovacuum's, rebuilds of indexes the owner's");
  return lacks;
}

function usersOf(group: string): readonly [string, string] {
  return [`${group}_a`, `${group}_b`];
}

function refused(message: string, hint: string): Fault {
  return fault.refused("DATABASE_USERS_REFUSED", message, { hint });
}
