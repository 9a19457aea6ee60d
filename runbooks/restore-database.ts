/** A backup into a new database beside the living one, compared, ready to be switched to (RB-14, X-46). */
import { formatAge, HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { type Answer, defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

const LISTED = 20;
const MEBIBYTE = 1024 * 1024;
const RESTORE = "restore into a new database";

type Params = { backup?: string };
type Context = Pick<ReadContext<Params>, "database" | "params" | "now">;

export default defineRunbook({
  name: "restore-database",
  aliases: ["restore"],
  title: "Restores a backup into a new database and compares the two; switching is left to you",
  danger: "D",
  params: Type.Object(
    {
      backup: Type.Optional(
        Type.String({
          pattern: "^[A-Za-z0-9.-]{1,120}$",
          description: "which; without it they are only listed",
        }),
      ),
    },
    { additionalProperties: false },
  ),
  positional: ["backup"],
  locks: ({ backup }) => ["database", ...(backup === undefined ? [] : [`backup-${backup}`])],
  targetsMax: 2,
  timeoutMs: 2 * HOUR_MS,
  touches: { database: ["database:restore"], programs: ["pg_restore"] },
  guide:
    "It never writes into a database that is there. When the figures look right, stop what writes, point DATABASE_URL at the new database, and start again: the last step says how. Until then nothing has changed for anybody.",
  plan: async (context) => {
    const { backup } = context.params;
    if (backup === undefined) return { text: "list the backups", changes: [] };
    const found = (await context.database.backups()).find(({ id }) => id === backup);
    if (found === undefined)
      throw fault.refused("BACKUP_UNKNOWN", `there is no finished backup ${backup}`, {
        hint: "/algobrain restore-database lists them",
      });
    const age = formatAge(context.now().getTime() - found.takenAt.getTime());
    return {
      text: `${found.id}, taken ${age} ago by ${found.method}, ${Math.ceil(found.bytes / MEBIBYTE)} MiB`,
      changes: ["make a new database and fill it from the backup"],
    };
  },
  steps: [
    {
      name: "verify the checksums",
      repeat: "safe",
      run: async (context) => {
        const { params, database } = context;
        if (params.backup === undefined) return list(context);
        const wrong = await database.checkBackup(params.backup);
        if (wrong.length > 0) throw fault.refused("BACKUP_DAMAGED", wrong.join("; "));
        return "it is as it was written";
      },
      undo: { never: "it only looked" },
    },
    {
      name: RESTORE,
      repeat: {
        check: async ({ database, runId, params }) => {
          if (params.backup === undefined) return "done";
          const all = await database.restored();
          const own = all.find((it) => it.database === nameFor(runId));
          return own?.isComplete === true ? "done" : "not-done";
        },
      },
      run: async ({ database, params, runId, signal }) => {
        if (params.backup === undefined) return "nothing was chosen";
        const name = nameFor(runId);
        const half = (await database.restored()).find((it) => it.database === name);
        if (half && !half.isComplete && !(await database.dropRestored(name)))
          throw fault.refused("RESTORE_BUSY", `somebody still works in the half ${name}`);
        await database.restoreInto({ backup: params.backup, database: name, signal });
        return { text: `${params.backup} is in the database ${name}`, value: name };
      },
      undo: {
        name: "drop the new database",
        repeat: "safe",
        run: async ({ database, done }) => {
          if (typeof done !== "string") return "which one it made is not known: list the databases";
          if (await database.dropRestored(done)) return `${done} is dropped`;
          throw fault.refused("RESTORE_IN_USE", `somebody is connected to ${done}: it stays`);
        },
      },
    },
    {
      name: "compare",
      repeat: "safe",
      run: async (context) => {
        const { database, params, runId } = context;
        if (params.backup === undefined) return list(context);
        const [now, { rows }] = await Promise.all([
          database.counts(),
          database.lookInto(nameFor(runId)),
        ]);
        return {
          text: "what differs came or went after the backup was taken",
          table: {
            columns: ["table", "rows now", "rows restored"],
            rows: Object.keys(now).map((name) => [name, String(now[name]), String(rows[name])]),
          },
        };
      },
      undo: { never: "it only looked" },
    },
    {
      name: "hand over",
      repeat: "safe",
      run: async ({ params, runId }) =>
        params.backup === undefined
          ? "choose one: /algobrain restore-database BACKUP"
          : [
              `To switch: 1. stop all processes and wait until none is left (a service scales to zero, and says so),`,
              `2. set DATABASE_URL to the same server with the database ${nameFor(runId)}, 3. start again and run preflight-check.`,
              "To leave it: take this run back, which drops the new database.",
            ].join("\n"),
      undo: { never: "it only said something" },
    },
  ],
  verify: {
    withinMs: () => 10 * MINUTE_MS,
    everyMs: 1_000,
    check: async ({ database, params, runId }) => {
      if (params.backup === undefined)
        return { state: "passed", text: "listed, nothing was restored" };
      const [{ rows, broken }, backups] = await Promise.all([
        database.lookInto(nameFor(runId)),
        database.backups(),
      ]);
      if (broken.length > 0)
        return { state: "failed", text: `data that cannot be true: ${broken.join(", ")}` };
      const wanted = backups.find(({ id }) => id === params.backup)?.rows ?? null;
      const wrong = Object.entries(rows).filter(
        ([name, count]) => count !== (wanted?.[name] ?? count),
      );
      if (wrong.length > 0)
        return {
          state: "failed",
          text: `other counts than in the backup: ${wrong.map(([name]) => name).join(", ")}`,
        };
      const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
      return {
        state: "passed",
        text: `${nameFor(runId)} has ${total} rows in the tables that matter, and nothing in it is broken`,
      };
    },
  },
  next: () => "/algobrain restore-database",
});

function nameFor(runId: string): string {
  return `algobrain_restore_${runId.replaceAll("-", "_")}`;
}

async function list({ database, now }: Context): Promise<Answer> {
  const backups = (await database.backups()).slice(0, LISTED);
  if (backups.length === 0) return { text: "there is no backup on this machine" };
  return {
    text: `${backups.length} backups, newest first`,
    table: {
      columns: ["backup", "taken", "by", "MiB"],
      rows: backups.map(({ id, takenAt, method, bytes }) => [
        id,
        `${formatAge(now().getTime() - takenAt.getTime())} ago`,
        method,
        String(Math.ceil(bytes / MEBIBYTE)),
      ]),
    },
  };
}
