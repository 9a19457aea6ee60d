/** A backup of the database with its checksums, read back before it counts (RB-13, HB-op-04, HB-cli-04). */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

type Params = { mode: "full" | "schema" | "table"; table?: string };

/** The backup, and what the database writes meanwhile. */
const ROOM_FACTOR = 2;
const MEBIBYTE = 1024 * 1024;
/** Older backups are named: to remove one is for a person. */
const KEPT_DAYS = 30;

export default defineRunbook({
  name: "backup-database",
  aliases: ["backup"],
  title: "Backs up the database, or one table, and reads the backup back",
  danger: "V",
  params: Type.Object(
    {
      mode: Type.Unsafe<Params["mode"]>({
        type: "string",
        enum: ["full", "schema", "table"],
        default: "full",
        description: "everything, the schema alone (needs pg_dump), or one table",
      }),
      table: Type.Optional(
        Type.String({
          pattern: "^(public|control)\\.[a-z_]{1,60}$",
          description: "with mode=table: which, such as public.jobs",
        }),
      ),
    },
    { additionalProperties: false },
  ),
  positional: ["mode", "table"],
  locks: () => ["database-backup"],
  timeoutMs: 2 * HOUR_MS,
  touches: { database: ["database:dump"], programs: ["pg_dump"] },
  guide:
    "Take one before every migration and every deployment (X-15). It hinders nobody's work. The backup stays on the machine of the executor, in the folder that the plan names: copy it to another place.",
  plan: async ({ params, database, now }) => {
    if ((params.mode === "table") !== (params.table !== undefined))
      throw fault.refused("TABLE_WITH_MODE", "mode=table and a table go together", {
        hint: "/algobrain backup table public.jobs",
      });
    const { folder, databaseBytes, freeBytes } = await database.backupRoom();
    if (freeBytes < databaseBytes * ROOM_FACTOR)
      throw fault.refused(
        "NO_ROOM_FOR_BACKUP",
        `${folder} has ${inMebibytes(freeBytes)} left, and the database takes ${inMebibytes(databaseBytes)}`,
        { hint: `make room for ${ROOM_FACTOR} times the database` },
      );
    const oldest = now().getTime() - KEPT_DAYS * DAY_MS;
    const old = (await database.backups()).filter(({ takenAt }) => takenAt.getTime() < oldest);
    return {
      text: [
        `the database takes ${inMebibytes(databaseBytes)}; ${folder} has ${inMebibytes(freeBytes)} left`,
        ...old.map(
          ({ id }) => `${id} is older than ${KEPT_DAYS} days: remove it when nobody needs it`,
        ),
      ].join("\n"),
      changes: [
        `back up ${params.table ?? (params.mode === "full" ? "everything" : "the schema")}`,
      ],
    };
  },
  steps: [
    {
      name: "back up",
      repeat: { check: async (context) => ((await findOwn(context)) ? "done" : "not-done") },
      run: async ({ params, database, runId, signal }) => {
        const only = params.table === undefined ? undefined : { table: params.table };
        const { id, method, restoreWith } = await database.backup({
          ...{ suffix: runId, signal },
          only: params.mode === "schema" ? "schema" : only,
        });
        return { text: `${id} was made by ${method}; to restore it: ${restoreWith}`, value: id };
      },
      undo: {
        name: "remove this backup",
        repeat: "safe",
        run: async ({ database, done }) => {
          if (typeof done !== "string")
            return "which one it made is not known: look into the folder";
          return (await database.removeBackup(done)) ? `${done} is removed` : `${done} was gone`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => 5 * MINUTE_MS,
    everyMs: 1_000,
    check: async (context) => {
      const backup = await findOwn(context);
      if (!backup) return { state: "failed", text: "there is no finished backup of this run" };
      const wrong = await context.database.checkBackup(backup.id);
      if (wrong.length > 0) return { state: "failed", text: wrong.join("; ") };
      const rows = Object.values(backup.rows ?? {}).reduce((sum, count) => sum + count, 0);
      const what =
        backup.rows === null ? "" : `, ${rows} rows of ${Object.keys(backup.rows).length} tables`;
      return { state: "passed", text: `${backup.id} fits its checksums${what}` };
    },
  },
  next: () => "/algobrain preflight-check",
});

type Context = Pick<ReadContext<Params>, "database" | "runId" | "now">;

/** By the number of the run; one of long ago is of a database that was restored since, and counted anew. */
async function findOwn({ database, runId, now }: Context) {
  const since = now().getTime() - 3 * HOUR_MS;
  return (await database.backups()).find(
    ({ id, takenAt }) =>
      id.replace(/\.dump$/, "").endsWith(`-${runId}`) && takenAt.getTime() > since,
  );
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE)} MiB`;
}
