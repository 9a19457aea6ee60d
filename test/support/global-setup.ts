/**
 * One database server for a whole test run: that of TEST_DATABASE_URL, else an embedded one in a folder
 * of its own. The schema is migrated once, into a template that each test clones.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/adapter/embedded-postgres.js";
import { silentLogger } from "../../src/base/log.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { quickestFolder } from "./quickest-folder.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Of a database in which other databases may be made. */
    databaseServerUrl: string;
    databaseTemplate: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(await quickestFolder(), "algobrain-tests-"));
  // As /tmp: when root runs the tests, another account runs the database servers.
  await chmod(scratch, 0o1777);
  // For this process and all that it starts: whatever makes a temporary folder makes it there.
  process.env.TMPDIR = scratch;
  const removeScratch = () => rm(scratch, { recursive: true, force: true });
  try {
    const close = await provideDatabases(project);
    return async () => {
      await close();
      await removeScratch();
    };
  } catch (error) {
    await removeScratch();
    throw error;
  }
}

async function provideDatabases(project: TestProject): Promise<() => Promise<void>> {
  const server = await findServer();
  const template = `algobrain_template_${randomBytes(6).toString("hex")}`;
  try {
    await withAdmin(server.url, (admin) => admin.query(`CREATE DATABASE ${template}`));
    await migrateTemplate(withDatabaseName(server.url, template));
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("databaseServerUrl", server.url);
  project.provide("databaseTemplate", template);
  return async () => {
    await withAdmin(server.url, (admin) =>
      admin.query(`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`),
    );
    await server.stop();
  };
}

async function findServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const url = process.env.TEST_DATABASE_URL;
  if (url) return { url, stop: async () => {} };
  const home = await mkdtemp(join(tmpdir(), "algobrain-test-db-"));
  // When root runs the tests, another account runs the server: it must be able to enter.
  await chmod(home, 0o755);
  const embedded = await startEmbeddedPostgres({ home, log: silentLogger, disposable: true });
  return {
    url: embedded.url,
    stop: () => embedded.stop(),
  };
}

async function migrateTemplate(url: string): Promise<void> {
  await withAdmin(url, async (db) => migrate(db, await readMigrationFiles()));
}

async function withAdmin<T>(url: string, work: (db: Database) => Promise<T>): Promise<T> {
  const options = { poolMax: 1, applicationName: "test-admin", ssl: false };
  // As long as the whole setup may take: a machine that stands still for a while is no finding.
  const db = openDatabase({ url, ...options, connectTimeoutMs: 60_000 });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.toString();
}
