/** `db url | migrate | users | prepare | rollback | backup | restore`: the handbook's database scripts (HB-cli-01…04). */
import { join, resolve } from "node:path";
import { createShell } from "../adapter/shell.js";
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { createRedact } from "../base/redact.js";
import { grantToGroups } from "../store/application-users.js";
import { type Backup, backupDatabase } from "../store/backup.js";
import { migrate } from "../store/migrate.js";
import { readMigrationFiles } from "../store/migration-files.js";
import { rollbackMigration } from "../store/rollback.js";
import { restoreTables } from "../store/table-restore.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, commandOfVerbs, EXIT_OK, type Verb } from "./command.js";
import { prepareVerb } from "./database-prepare.js";
import { usersVerb } from "./database-users.js";
import { openConfig, withDatabaseUrl, withOpenDatabase } from "./settings.js";

/** With the password, for psql: it goes to standard output only because it was asked for. */
const urlVerb: Verb = {
  usage: "db url",
  does: "where the database is, with its password, for psql",
  run: async (args, io) => {
    parseCommandLine(args, {});
    await withDatabaseUrl(await openConfig(io), async (url, embedded) => {
      io.out(url);
      if (embedded?.wasRunning === false)
        io.err('note: this server stops again now; it stays up while "npm start" runs');
    });
    return EXIT_OK;
  },
};

const migrateVerb: Verb = {
  usage: "db migrate [--dry-run]",
  does: "apply what is missing, or only name it",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { "dry-run": { type: "boolean" } });
    const dryRun = values["dry-run"] === true;
    const config = await openConfig(io);
    const report = await withDatabaseUrl(config, (url) =>
      withOpenDatabase(url, config, async (db) => ({
        ...(await migrate(db, await readMigrationFiles(), { dryRun })),
        groups: dryRun ? [] : await grantToGroups(db),
      })),
    );
    for (const name of report.applied) io.out(`${dryRun ? "would apply" : "applied"} ${name}`);
    for (const name of report.groups) io.out(`granted what is there now to ${name}`);
    for (const name of report.newer) io.out(`a newer release was here: ${name}`);
    if (report.applied.length === 0) io.out("nothing to apply");
    return EXIT_OK;
  },
};

const rollbackVerb: Verb = {
  usage: "db rollback NAME",
  does: "undo the newest operator's migration (006 onward)",
  run: async (args, io) => {
    const { operands } = parseCommandLine(args, {}, ["NAME"]);
    const name = operands[0].replace(/\.sql$/, "");
    const config = await openConfig(io);
    const statements = await withDatabaseUrl(config, (url) =>
      withOpenDatabase(url, config, async (db) =>
        rollbackMigration(db, await readMigrationFiles(), name),
      ),
    );
    for (const statement of statements) io.out(statement);
    io.out(`rolled back ${name}`);
    io.out(
      `move src/db/migrations/${name}.sql away, or the next migrate or start applies it again`,
    );
    return EXIT_OK;
  },
};

const backupVerb: Verb = {
  usage: "db backup [ENV] [--to FOLDER] [--json]",
  does: "a backup named for environment and time",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(
      args,
      { to: { type: "string" }, json: { type: "boolean" } },
      ["[ENV]"],
    );
    const backup = await takeBackup(operands[0], values.to, io);
    if (values.json) io.out(JSON.stringify(backup));
    else {
      io.out(`backed up to ${backup.path}`);
      io.out(`restore it into an empty database: ${backup.restoreWith}`);
    }
    return EXIT_OK;
  },
};

/** The environment only names the backup; which database it is says DATABASE_URL. */
async function takeBackup(
  environment: string | undefined,
  folder: string | undefined,
  io: CommandIo,
): Promise<Backup> {
  const config = await openConfig(io);
  const redact = createRedact(config.secrets);
  return withDatabaseUrl(config, (url) =>
    withOpenDatabase(url, config, (db) => {
      io.progress("backing up: every table of one moment");
      return backupDatabase({
        ...{ db, url, ssl: config.database.ssl },
        shell: createShell({ redact, path: io.env.PATH }),
        folder: folder === undefined ? join(config.home, "backups") : resolve(io.cwd, folder),
        environment: environment ?? config.environment,
        now: systemClock.now(),
        signal: new AbortController().signal,
      });
    }),
  );
}

/** The word for the embedded server of this home: that is how an upgrade of it is survived. */
const EMBEDDED = "embedded";

const restoreVerb: Verb = {
  usage: `db restore PATH --into URL|${EMBEDDED}`,
  does: "put a backup into an empty database",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { into: { type: "string" } }, ["PATH"]);
    const [path] = operands;
    if (values.into === undefined)
      throw new UsageError(`--into is missing: name the empty database, or "${EMBEDDED}"`);
    if (path.endsWith(".dump"))
      throw fault.refused("RESTORE_REFUSED", `${path} was made by pg_dump`, {
        hint: `pg_restore --no-acl --dbname=EMPTY_DATABASE ${path}`,
      });
    await restoreInto(readTarget(values.into), path, io);
    return EXIT_OK;
  },
};

/** Null stands for the embedded server. Never DATABASE_URL: what is to be filled is named, not assumed. */
function readTarget(text: string): string | null {
  if (text === EMBEDDED) return null;
  const protocol = URL.canParse(text) ? new URL(text).protocol : "";
  if (protocol === "postgresql:" || protocol === "postgres:") return text;
  // Not quoted: it may hold a password.
  throw new UsageError(`--into: expected a URL that starts with postgresql://, or "${EMBEDDED}"`);
}

async function restoreInto(target: string | null, path: string, io: CommandIo): Promise<void> {
  const config = await openConfig(io);
  const aimed = { ...config, database: { ...config.database, url: target } };
  await withDatabaseUrl(aimed, (url) =>
    withOpenDatabase(url, aimed, async (db) => {
      io.progress(`restoring ${path}`);
      const folder = resolve(io.cwd, path);
      const { tables, takenAt } = await restoreTables(db, folder, await readMigrationFiles());
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      io.out(`restored ${rows} rows of ${tables.length} tables, as they were at ${takenAt}`);
    }),
  );
}

export const databaseCommand = commandOfVerbs("db", {
  url: urlVerb,
  migrate: migrateVerb,
  users: usersVerb,
  prepare: prepareVerb,
  rollback: rollbackVerb,
  backup: backupVerb,
  restore: restoreVerb,
});
