/** `db url | migrate | rollback`: the handbook's database scripts (HB-cli-01…03). */
import { migrate } from "../store/migrate.js";
import { readMigrationFiles } from "../store/migration-files.js";
import { rollbackMigration } from "../store/rollback.js";
import { type Command, type CommandIo, EXIT_OK, parseCommandLine, UsageError } from "./command.js";
import { openConfig, withDatabase, withDatabaseUrl, withOpenDatabase } from "./settings.js";

export const databaseCommand: Command = {
  name: "db",
  usage: ["db url", "db migrate [--dry-run]", "db rollback NAME"],
  summary: "the database: its URL, its migrations",
  async run(args, io) {
    const { positionals, values } = parseCommandLine(args, { "dry-run": { type: "boolean" } });
    const [verb, name, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`unexpected "${rest[0]}"`);
    if (verb === "url" && name === undefined) return printUrl(io);
    if (verb === "migrate" && name === undefined)
      return applyMigrations(values["dry-run"] === true, io);
    if (verb === "rollback" && name !== undefined) return rollBack(name, io);
    throw new UsageError(`unknown command "db ${positionals.join(" ")}"`.trim());
  },
};

/** With the password, for psql: it goes to standard output only because it was asked for. */
async function printUrl(io: CommandIo): Promise<number> {
  const config = await openConfig(io);
  await withDatabaseUrl(config, async (url) => io.out(url));
  return EXIT_OK;
}

async function applyMigrations(dryRun: boolean, io: CommandIo): Promise<number> {
  const config = await openConfig(io);
  const report = await withDatabaseUrl(config, (url) =>
    withOpenDatabase(url, config, async (db) =>
      migrate(db, await readMigrationFiles(), { dryRun }),
    ),
  );
  const verb = dryRun ? "would apply" : "applied";
  for (const name of report.applied) io.out(`${verb} ${name}`);
  for (const name of report.newer) io.out(`a newer release was here: ${name}`);
  if (report.applied.length === 0) io.out("nothing to apply");
  return EXIT_OK;
}

async function rollBack(name: string, io: CommandIo): Promise<number> {
  const statements = await withDatabase(io, async (db) =>
    rollbackMigration(db, await readMigrationFiles(), name),
  );
  for (const statement of statements) io.out(statement);
  io.out(`rolled back ${name}`);
  return EXIT_OK;
}
