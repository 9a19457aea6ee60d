/**
 * A backup of the database, named for environment and time (HB-cli-04): by pg_dump where one of the
 * server's version or newer is found, else as files of our tables (design 8.13).
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { HOUR_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import type { Programs } from "../runbook/port.js";
import type { Database } from "./database.js";
import { sha256OfFile } from "./file-digest.js";
import { dumpTables } from "./table-dump.js";

export interface BackupRequest {
  readonly db: Database;
  /** Of the same database: pg_dump connects by itself. Its password goes by environment, never by argument. */
  readonly url: string;
  readonly ssl: boolean;
  readonly shell: Programs;
  /** In which the backup is made; made when missing. */
  readonly folder: string;
  readonly environment: string;
  /** After the time in its name, e.g. `run-17`. */
  readonly suffix?: string | undefined;
  /** Default: everything. The schema alone needs pg_dump: tables are made by our migrations. */
  readonly only?: "schema" | { readonly table: string } | undefined;
  /** Of `pg_export_snapshot`, held open by the caller: the moment that pg_dump backs up. Default: when it begins. */
  readonly snapshot?: string | undefined;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface Backup {
  /** A file of pg_dump's custom form (with a `.sha256` beside it), or a folder of tables. */
  readonly path: string;
  readonly method: "pg_dump" | "tables";
  /** How it is put back, in one line. */
  readonly restoreWith: string;
}

const VERSION_TIMEOUT_MS = 10_000;
const DUMP_TIMEOUT_MS = HOUR_MS;

/** Throws a Fault `BACKUP_FAILED`; a half-made backup does not stay. */
export async function backupDatabase(request: BackupRequest): Promise<Backup> {
  if (!/^[a-z0-9-]+$/.test(request.environment)) {
    throw fault.refused(
      "BACKUP_REFUSED",
      `found environment "${request.environment}", expected lower-case letters, digits and -`,
    );
  }
  await mkdir(request.folder, { recursive: true, mode: 0o700 });
  const stamp = request.now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const suffix = request.suffix === undefined ? "" : `-${request.suffix}`;
  const path = join(request.folder, `algobrain-${request.environment}-${stamp}${suffix}`);
  if (await hasFittingPgDump(request)) return byPgDump(request, `${path}.dump`);
  if (request.only === "schema")
    throw fault.refused("BACKUP_REFUSED", "the schema alone is not backed up without pg_dump", {
      hint: "install the pg_dump of the server's version, or back up everything",
    });
  try {
    await dumpTables(request.db, path, request.now, request.only?.table);
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
  return { path, method: "tables", restoreWith: `algobrain db restore ${path} --into URL` };
}

/** An older pg_dump refuses a newer server. */
async function hasFittingPgDump({ db, shell, signal }: BackupRequest): Promise<boolean> {
  const { stdout, exitCode } = await shell.run(["pg_dump", "--version"], {
    signal,
    timeoutMs: VERSION_TIMEOUT_MS,
  });
  const { rows } = await db.query<{ major: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS major",
  );
  const major = Number(/\) (\d+)/.exec(stdout)?.[1] ?? 0);
  return exitCode === 0 && major >= rows[0]!.major;
}

async function byPgDump(request: BackupRequest, path: string): Promise<Backup> {
  const { shell, url, ssl, signal, snapshot } = request;
  const moment = snapshot === undefined ? [] : [`--snapshot=${snapshot}`];
  const what = [...moment, ...narrowed(request.only), `--file=${path}`];
  const result = await shell.run(["pg_dump", "--format=custom", "--no-password", ...what], {
    signal,
    timeoutMs: DUMP_TIMEOUT_MS,
    env: connectionEnvironment(url, ssl),
  });
  if (result.exitCode !== 0 || !existsSync(path)) {
    await rm(path, { force: true });
    throw fault.transient(
      "BACKUP_FAILED",
      `pg_dump ended by ${result.endedBy} with ${result.exitCode}: ${result.stderr.trim()}`,
    );
  }
  await writeFile(`${path}.sha256`, `${await sha256OfFile(path)}  ${basename(path)}\n`);
  return {
    path,
    method: "pg_dump",
    restoreWith: `pg_restore --no-acl --dbname=EMPTY_DATABASE ${path}`,
  };
}

function narrowed(only: BackupRequest["only"]): string[] {
  if (only === undefined) return [];
  return only === "schema" ? ["--schema-only"] : [`--table=${only.table}`];
}

/** For PostgreSQL's own programs: what would stand in their arguments is seen by everyone on the machine. */
export function connectionEnvironment(url: string, ssl: boolean): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    PGHOST: hostname,
    PGPORT: port || "5432",
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGSSLMODE: ssl ? "verify-full" : "prefer",
  };
}
