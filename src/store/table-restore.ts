/** Puts a dump of table-dump.ts into an empty database: checked before it is touched; the rows come whole or not at all. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { errorMessage, fault } from "../base/fault.js";
import type { Database, Sql } from "./database.js";
import { sha256OfFile } from "./file-digest.js";
import { migrate } from "./migrate.js";
import type { MigrationFiles } from "./migration-files.js";
import { type DumpedTable, type DumpManifest, MANIFEST_NAME, quote } from "./table-dump.js";

const INSERT_ROWS = 500;

/** Throws a Fault `RESTORE_REFUSED` before it touches the database: a damaged dump, or a database that is not empty. */
export async function restoreTables(
  db: Database,
  folder: string,
  files: MigrationFiles,
): Promise<DumpManifest> {
  const manifest = await readManifest(folder);
  for (const table of manifest.tables) await checkSum(folder, table);
  checkMigrations(manifest, files);
  await checkEmpty(db);
  await migrate(db, files);
  await db.transaction(async (tx) => {
    await tx.query("SET LOCAL statement_timeout = 0");
    const tables = await inOrder(tx, manifest.tables);
    // What the migrations put there; all at once, since one may refer to another.
    await tx.query(`TRUNCATE ${tables.map(nameOf).join(", ")} CASCADE`);
    for (const table of tables) await restoreTable(tx, folder, table);
    for (const { name, value, called } of manifest.sequences) {
      await tx.query("SELECT setval($1::regclass, $2, $3)", [name, value, called]);
    }
  });
  return manifest;
}

/** Throws a Fault `RESTORE_REFUSED` where there is none of this format. */
export async function readManifest(folder: string): Promise<DumpManifest> {
  const file = join(folder, MANIFEST_NAME);
  try {
    const manifest = JSON.parse(await readFile(file, "utf8")) as DumpManifest;
    if (manifest.format === 1) return manifest;
  } catch (error) {
    throw refused(`cannot read ${file}: ${errorMessage(error)}`);
  }
  throw refused(`${file} is not a manifest of format 1`);
}

/** Throws a Fault `RESTORE_REFUSED` when the file is not as it was written. */
export async function checkSum(folder: string, table: DumpedTable): Promise<void> {
  if ((await sha256OfFile(join(folder, table.file))) !== table.sha256) {
    throw refused(`${table.file} is not as it was written: its SHA-256 does not fit the manifest`);
  }
}

function checkMigrations(manifest: DumpManifest, files: MigrationFiles): void {
  const known = new Set([...files.public, ...files.control].map(({ name }) => name));
  const unknown = manifest.migrations.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw refused(
      `the backup needs migrations that this program does not have: ${unknown.join(", ")}`,
    );
  }
}

async function checkEmpty(db: Database): Promise<void> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
     WHERE table_schema IN ('public', 'control') LIMIT 1`,
  );
  if (rows[0]) throw refused(`the database is not empty: it has ${rows[0].name}`);
}

const nameOf = ({ schema, name }: Pick<DumpedTable, "schema" | "name">) =>
  `${quote(schema)}.${quote(name)}`;

/** Those that others refer to come before them. */
async function inOrder(tx: Sql, tables: readonly DumpedTable[]): Promise<DumpedTable[]> {
  const { rows } = await tx.query<{ child: string; parent: string }>(
    `SELECT format('%I.%I', cn.nspname, c.relname) AS child, format('%I.%I', pn.nspname, p.relname) AS parent
     FROM pg_constraint JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
       JOIN pg_class p ON p.oid = confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     WHERE contype = 'f' AND conrelid <> confrelid`,
  );
  const depthOf = (name: string): number =>
    rows
      .filter(({ child }) => child === name)
      .reduce((depth, { parent }) => Math.max(depth, 1 + depthOf(parent)), 0);
  const depth = (table: DumpedTable) => depthOf(`${table.schema}.${table.name}`);
  return [...tables].sort((a, b) => depth(a) - depth(b));
}

async function restoreTable(tx: Sql, folder: string, table: DumpedTable): Promise<void> {
  const name = nameOf(table);
  const columns = table.columns.map(quote).join(", ");
  // The rows carry their own numbers, times and audit: no trigger may add to them.
  await tx.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`);
  for await (const lines of readBatches(join(folder, table.file))) {
    await tx.query(
      `INSERT INTO ${name} (${columns}) OVERRIDING SYSTEM VALUE
       SELECT ${columns} FROM jsonb_populate_recordset(NULL::${name}, $1::jsonb)`,
      [`[${lines.join(",")}]`],
    );
  }
  await tx.query(`ALTER TABLE ${name} ENABLE TRIGGER USER`);
}

async function* readBatches(file: string): AsyncGenerator<string[]> {
  let lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file, "utf8") })) {
    lines.push(line);
    if (lines.length < INSERT_ROWS) continue;
    yield lines;
    lines = [];
  }
  if (lines.length > 0) yield lines;
}

function refused(message: string): Error {
  return fault.refused("RESTORE_REFUSED", message, {
    hint: "restore a whole backup into a new, empty database, with the program that made it or a newer one",
  });
}
