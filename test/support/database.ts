/** Lends each test a database of its own: a clone of the migrated template, dropped afterwards. */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.js";
import { until } from "./until.js";

/** A closed connection is gone from the server a moment later, or once its disk has answered: one that is kept stays. */
const CLOSE_TIMEOUT_MS = 20_000;
/** As long as a test may take: a machine that stands still for the usual ten seconds is no finding. */
const CONNECT_TIMEOUT_MS = 60_000;
/** Tests of one file that run at the same time make and drop databases at the same time. */
const ADMIN_CONNECTIONS = 4;

export interface TestDatabase {
  readonly db: Database;
  readonly url: string;
  /** Closes `db` and drops the database. Throws when the test left another connection to it open. */
  drop(): Promise<void>;
}

export async function withDatabase(
  test: (db: Database, url: string) => Promise<void>,
): Promise<void> {
  const { db, url, drop } = await createTestDatabase();
  let failed = true;
  try {
    await test(db, url);
    failed = false;
  } finally {
    // The test's own failure is the news; what it left open is not.
    await drop().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}

export async function createTestDatabase(): Promise<TestDatabase> {
  return create(inject("databaseTemplate"));
}

/** Without any table: for tests of the migration itself. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return create("template0");
}

async function create(template: string): Promise<TestDatabase> {
  const name = `algobrain_test_${randomBytes(6).toString("hex")}`;
  // Copied as files: as pages through the log it takes longer to make, and twice as long to drop.
  await admin().query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  // A clone does not inherit what `ensureSearchPath` told its template.
  if (template !== "template0")
    await admin().query(`ALTER DATABASE ${name} SET search_path = public, control`);
  const url = new URL(inject("databaseServerUrl"));
  url.pathname = `/${name}`;
  const db = open(url.toString(), 10, "test");
  return {
    db,
    url: url.toString(),
    drop: async () => {
      await db.close();
      await dropUnused(admin(), name);
    },
  };
}

async function dropUnused(admin: Database, name: string): Promise<void> {
  let left: string[] = [];
  try {
    await until(
      async () => {
        left = await openConnections(admin, name);
        return left.length === 0;
      },
      "connections to the test database are closed",
      CLOSE_TIMEOUT_MS,
    );
  } catch {
    throw new Error(`the test left connections open: ${left.join(", ")}`);
  } finally {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}

async function openConnections(admin: Database, name: string): Promise<string[]> {
  const { rows } = await admin.query<{ connection: string }>(
    `SELECT concat_ws(' ', coalesce(nullif(application_name, ''), 'unnamed'), state, wait_event, '(' || query || ')') AS connection
     FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`,
    [name],
  );
  return rows.map(({ connection }) => connection);
}

let kept: Database | undefined;

/** Kept for all tests of this process, and ended with it: to connect costs as much as to clone. */
function admin(): Database {
  kept ??= open(inject("databaseServerUrl"), ADMIN_CONNECTIONS, "test-admin");
  return kept;
}

function open(url: string, poolMax: number, applicationName: string): Database {
  const connectTimeoutMs = CONNECT_TIMEOUT_MS;
  return openDatabase({ url, poolMax, applicationName, ssl: false, connectTimeoutMs });
}
