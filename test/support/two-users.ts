/** A database as production has it: one user owns the tables and migrates, and the services are another (HB-aws-24). */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { SecretText } from "../../src/base/secret-text.js";
import { makeApplicationUsers } from "../../src/store/application-users.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { createEmptyDatabase } from "./database.js";

export interface TwoUsers {
  /** Of the server's superuser: for looks, and for what no user of the product may. */
  readonly admin: Database;
  readonly owner: Database;
  readonly ownerUrl: string;
  /** The user `_a`. */
  readonly application: Database;
  readonly applicationUrl: string;
  readonly group: string;
  /** With this password instead of the user's own. */
  urlOf(user: string, password: string): string;
  drop(): Promise<void>;
}

/** Neither is a superuser. Roles belong to the whole server, so their names say whose they are. */
export async function createTwoUsers(): Promise<TwoUsers> {
  const { db: admin, url, drop } = await createEmptyDatabase();
  const group = `app_${randomBytes(5).toString("hex")}`;
  const ownerName = `${group}_owner`;
  const [ownerPassword, password] = [
    randomBytes(12).toString("hex"),
    randomBytes(12).toString("hex"),
  ];
  const database = new URL(url).pathname.slice(1);
  await admin.query(
    `CREATE ROLE ${ownerName} LOGIN CREATEROLE CREATEDB PASSWORD '${ownerPassword}';
     GRANT pg_read_all_stats TO ${ownerName} WITH ADMIN OPTION;
     ALTER DATABASE ${database} OWNER TO ${ownerName}`,
  );
  const urlOf = (user: string, its: string) => {
    const changed = new URL(inject("databaseServerUrl"));
    changed.pathname = `/${database}`;
    changed.username = user;
    changed.password = its;
    return changed.toString();
  };
  const open = (its: string) =>
    openDatabase({ url: its, poolMax: 4, applicationName: "test", ssl: false });
  const ownerUrl = urlOf(ownerName, ownerPassword);
  const owner = open(ownerUrl);
  await migrate(owner, await readMigrationFiles());
  const login = { user: "a", password: new SecretText(password) } as const;
  await makeApplicationUsers(owner, { group, login, dryRun: false });
  const applicationUrl = urlOf(`${group}_a`, password);
  const application = open(applicationUrl);
  return {
    ...{ admin, owner, ownerUrl, application, applicationUrl, group, urlOf },
    drop: async () => {
      await application.close();
      await owner.close();
      const { rows } = await admin.query<{ name: string }>(
        `SELECT rolname AS name FROM pg_roles, pg_database d WHERE d.datname = current_database()
           AND rolname LIKE 'algobrain\\_' || d.oid || '\\_%' ORDER BY rolname ~ '_cap_'`,
      );
      const made = [...rows.map(({ name }) => name), `${group}_a`, `${group}_b`, group, ownerName];
      await admin.query(`REASSIGN OWNED BY ${ownerName} TO CURRENT_USER`);
      await drop();
      await dropRoles(made);
    },
  };
}

/** Once the database is gone: any other test's sweep may be quicker with those of runs. */
async function dropRoles(names: readonly string[]): Promise<void> {
  const server = openDatabase({
    ...{ url: inject("databaseServerUrl"), poolMax: 1, applicationName: "test", ssl: false },
  });
  const left = async (name: string) =>
    (await server.query("SELECT FROM pg_roles WHERE rolname = $1", [name])).rowCount > 0;
  try {
    for (const name of names)
      await server.query(`DROP ROLE IF EXISTS ${name}`).catch(async (error: unknown) => {
        if (await left(name)) throw error;
      });
  } finally {
    await server.close();
  }
}
