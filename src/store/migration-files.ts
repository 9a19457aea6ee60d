/** The SQL files that make the database, read from src/db: the handbook's in `migrations`, ours in `control`. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fault } from "../base/fault.js";

/** HB-db-02: these make the product's tables. 006 and onward are the operator's. */
export const HANDBOOK_MIGRATIONS = [
  "001_initial_schema",
  "002_add_healdec_log",
  "003_add_workers_table",
  "004_add_indexes",
  "005_add_audit_indexes",
] as const;

export interface MigrationFile {
  /** Without `.sql`: `006_add_security_score`. */
  readonly name: string;
  /** The number that the name begins with. */
  readonly id: number;
  readonly sql: string;
  readonly checksum: string;
}

export interface MigrationFiles {
  /** In order; the first five are the handbook's. */
  readonly public: readonly MigrationFile[];
  readonly control: readonly MigrationFile[];
  /** Of the public ones, by name: what `NNN_name.down.sql` says. */
  readonly downs: ReadonlyMap<string, string>;
}

const NAME = /^(\d{3,4})_[a-z0-9_]+$/;
const DOWN = ".down.sql";

/** Throws a Fault `MIGRATION_FILES` that names the file, for a wrong name or a number taken twice. */
export async function readMigrationFiles(folder = shippedFolder()): Promise<MigrationFiles> {
  const names = await readdir(join(folder, "migrations"));
  const downs = new Map<string, string>();
  for (const file of names.filter((name) => name.endsWith(DOWN))) {
    downs.set(
      file.slice(0, -DOWN.length),
      await readFile(join(folder, "migrations", file), "utf8"),
    );
  }
  return {
    public: await readOrdered(join(folder, "migrations")),
    control: await readOrdered(join(folder, "control")),
    downs,
  };
}

async function readOrdered(folder: string): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter(
    (name) => name.endsWith(".sql") && !name.endsWith(DOWN),
  );
  const files = await Promise.all(names.sort().map((name) => readOne(folder, name)));
  files.sort((a, b) => a.id - b.id);
  for (const [index, file] of files.entries()) {
    const before = files[index - 1];
    if (before?.id === file.id) {
      throw fault.refused(
        "MIGRATION_FILES",
        `${before.name}.sql and ${file.name}.sql in ${folder} have the same number`,
        { hint: "give the newer one the next free number" },
      );
    }
  }
  return files;
}

async function readOne(folder: string, fileName: string): Promise<MigrationFile> {
  const name = fileName.slice(0, -".sql".length);
  const match = NAME.exec(name);
  if (!match) {
    throw fault.refused(
      "MIGRATION_FILES",
      `found ${fileName} in ${folder}, expected a name such as 006_add_security_score.sql`,
      { hint: "a three-digit number, then lower-case words joined by _" },
    );
  }
  const sql = await readFile(join(folder, fileName), "utf8");
  // Line ends may change on the way through Git; meaning does not.
  const checksum = createHash("sha256").update(sql.replaceAll("\r\n", "\n")).digest("hex");
  return { name, id: Number(match[1]), sql, checksum };
}

/** src/db beside package.json, wherever the compiled file lies. */
function shippedFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const above = dirname(folder);
    if (above === folder)
      throw fault.refused("MIGRATION_FILES", "found no package.json above src/store");
    folder = above;
  }
  return join(folder, "src", "db");
}
