/**
 * The database users of the services, changed through the connection of a user that may (HB-aws-24): the password is
 * sent as what Postgres keeps of it, so it is in no statement and in no log of the server.
 */
import { randomBytes } from "node:crypto";
import { Fault, fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import type { DatabaseReader, DatabaseWriter } from "../runbook/database-port.js";
import { type Database, openDatabase, type Sql } from "./database.js";
import { requireCapability } from "./run-role.js";
import { scramVerifier } from "./scram-verifier.js";

type UserWriter = Pick<DatabaseWriter, "setUserPassword" | "testLogin">;

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Unquoted names of Postgres: nothing in one could be read as SQL. */
const USER_NAME = /^[a-z][a-z0-9_]{0,62}$/;
/** SQLSTATE: no such user, wrong password, login forbidden. */
const LOGIN_REFUSED = ["28000", "28P01", "42501"];
/** Of those, what is said before anything is asked. */
const WRONG_LOGIN = LOGIN_REFUSED.slice(0, 2);

/** Who is connected is told to everybody; what they do is not. */
export async function countByUser(sql: Sql): ReturnType<DatabaseReader["sessionsByUser"]> {
  const { rows } = await sql.query<{ name: string; count: number }>(
    `SELECT usename AS name, count(*)::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND usename IS NOT NULL GROUP BY usename`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/** Logs in and out again; answers as whom. Throws a refused Fault `DATABASE_LOGIN_REFUSED`. */
export function loginUser(address: SecretText, ssl: boolean): Promise<string> {
  return once(address, ssl, login);
}

/** It works only while the run is held and has the capability, which the statement over `db` makes sure of. */
export function createUserCare(db: Database, { ssl }: { readonly ssl: boolean }): UserWriter {
  return {
    setUserPassword: async ({ through, user, password }) => {
      await requireCapability(db, "database:users");
      if (!USER_NAME.test(user))
        throw fault.refused("DATABASE_USER_UNCHANGED", `"${user}" is no name of a database user`);
      const verifier = scramVerifier(password.reveal(), randomBytes(16));
      await once(through, ssl, async (other) => {
        await change(other, user, `ALTER ROLE ${user} LOGIN PASSWORD '${verifier}'`);
      });
    },
    testLogin: async (address) => {
      await requireCapability(db, "database:users");
      return loginUser(address, ssl);
    },
  };
}

async function change(sql: Sql, user: string, statement: string): Promise<void> {
  try {
    await sql.query(statement);
  } catch (error) {
    const state = stateOf(error);
    if (state === "42704")
      throw fault.refused("DATABASE_USER_UNCHANGED", `there is no database user ${user}`, {
        hint: "make it once: algobrain db users, as the database's master user",
      });
    if (state === "42501")
      throw fault.refused("DATABASE_USER_UNCHANGED", `this user may not change ${user}`, {
        hint: `grant it once: GRANT ${user} TO the database's master user WITH ADMIN OPTION`,
      });
    throw WRONG_LOGIN.includes(state) ? loginRefused(state) : error;
  }
}

async function login(sql: Sql): Promise<string> {
  try {
    const { rows } = await sql.query<{ user: string }>("SELECT current_user AS user");
    return rows[0]!.user;
  } catch (error) {
    const state = stateOf(error);
    if (!LOGIN_REFUSED.includes(state)) throw error;
    throw loginRefused(state);
  }
}

function loginRefused(state: string): Fault {
  return fault.refused("DATABASE_LOGIN_REFUSED", `the database refused the login (${state})`);
}

/** One connection, which is closed whatever happens. */
async function once<T>(
  address: SecretText,
  ssl: boolean,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const url = address.reveal();
  // What is no address would be quoted by whoever tries to read it.
  if (!URL.canParse(url))
    throw fault.refused("DATABASE_ADDRESS_INVALID", "expected postgres://user:password@host/name");
  const db = openDatabase({
    ...{ url, ssl, poolMax: 1, applicationName: "algobrain-user-care" },
    ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, statementTimeoutMs: STATEMENT_TIMEOUT_MS },
  });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function stateOf(error: unknown): string {
  return error instanceof Fault ? String(error.details.sqlstate ?? "") : "";
}
