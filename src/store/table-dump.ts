/**
 * Our tables as files, for where no fitting pg_dump is at hand (design 8.13): one file of JSON lines a
 * table, all of one moment, and a manifest with columns, row counts, sequences and SHA-256 checksums.
 */
import { createHash } from "node:crypto";
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import type { Database, Sql } from "./database.js";

export interface DumpedTable {
  readonly schema: string;
  readonly name: string;
  /** Without the generated ones. */
  readonly columns: readonly string[];
  readonly rows: number;
  readonly file: string;
  readonly sha256: string;
}

export interface DumpManifest {
  readonly format: 1;
  readonly takenAt: string;
  readonly serverVersion: string;
  /** What the database must have been migrated to before the rows fit. */
  readonly migrations: readonly string[];
  readonly tables: readonly DumpedTable[];
  readonly sequences: readonly {
    readonly name: string;
    readonly value: number;
    readonly called: boolean;
  }[];
}

export const MANIFEST_NAME = "manifest.json";
const FETCH_ROWS = 1_000;

/** Writes the dump into a new folder that only its owner may read. `only`: one table, as `schema.name`. */
export async function dumpTables(
  db: Database,
  folder: string,
  now: Date,
  only?: string,
): Promise<DumpManifest> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return db.connect(async (session) => {
    await session.query("SET statement_timeout = 0");
    // One snapshot for all tables: a job is in the dump as it was beside its history.
    await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const tables: DumpedTable[] = [];
    for (const table of await listTables(session, only))
      tables.push(await dumpTable(session, folder, table));
    const { rows: version } = await session.query<{ server_version: string }>(
      "SHOW server_version",
    );
    const { rows: migrations } = await session.query<{ name: string }>(
      "SELECT name FROM public.migrations UNION ALL SELECT name FROM control.migration ORDER BY name",
    );
    const manifest: DumpManifest = {
      format: 1,
      takenAt: now.toISOString(),
      serverVersion: version[0]!.server_version,
      migrations: migrations.map(({ name }) => name),
      tables,
      sequences: await readSequences(session),
    };
    await session.query("COMMIT");
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFile(join(folder, MANIFEST_NAME), text, { mode: 0o600 });
    return manifest;
  });
}

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

async function listTables(sql: Sql, only: string | undefined): Promise<Table[]> {
  const { rows } = await sql.query<Table>(
    `SELECT c.table_schema AS schema, c.table_name AS name,
       array_agg(c.column_name::text ORDER BY c.ordinal_position) AS columns
     FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema IN ('public', 'control') AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
       -- The rows of a partition are its table's: the restored database may have other days.
       AND NOT (SELECT relispartition FROM pg_class WHERE oid = format('%I.%I', c.table_schema, c.table_name)::regclass)
       AND coalesce(c.table_schema || '.' || c.table_name = $1, true)
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [only ?? null],
  );
  if (only !== undefined && rows.length === 0)
    throw fault.refused("BACKUP_REFUSED", `there is no table ${only}`, {
      hint: "name it with its schema, such as public.jobs",
    });
  return rows;
}

async function dumpTable(sql: Sql, folder: string, table: Table): Promise<DumpedTable> {
  const file = `${table.schema}.${table.name}.ndjson`;
  const hash = createHash("sha256");
  const output = await open(join(folder, file), "wx", 0o600);
  let rowCount = 0;
  try {
    await sql.query(
      `DECLARE dump NO SCROLL CURSOR FOR SELECT row_to_json(t)::text AS line
       FROM (SELECT ${table.columns.map(quote).join(", ")} FROM ${quote(table.schema)}.${quote(table.name)}) t`,
    );
    for (;;) {
      const { rows } = await sql.query<{ line: string }>(`FETCH ${FETCH_ROWS} FROM dump`);
      if (rows.length === 0) break;
      const text = rows.map(({ line }) => `${line}\n`).join("");
      hash.update(text);
      await output.write(text);
      rowCount += rows.length;
    }
    await sql.query("CLOSE dump");
    await output.sync();
  } finally {
    await output.close();
  }
  return { ...table, rows: rowCount, file, sha256: hash.digest("hex") };
}

async function readSequences(sql: Sql): Promise<DumpManifest["sequences"]> {
  const { rows: names } = await sql.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences
     WHERE schemaname IN ('public', 'control') ORDER BY 1`,
  );
  const sequences: { name: string; value: number; called: boolean }[] = [];
  for (const { name } of names) {
    const { rows } = await sql.query<{ value: number; called: boolean }>(
      `SELECT last_value AS value, is_called AS called FROM ${name}`,
    );
    sequences.push({ name, ...rows[0]! });
  }
  return sequences;
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
