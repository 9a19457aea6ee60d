/** `runbook stop | resume | locks`: the switch that stops every run, from a terminal, with the database there or gone. */
import { join } from "node:path";
import { systemClock } from "../base/clock.js";
import { formatAge } from "../base/duration.js";
import { errorMessage, Fault } from "../base/fault.js";
import { silentLogger } from "../base/log.js";
import type { StopOrder, StopReached } from "../runbook/stop.js";
import type { Config } from "../runtime/config.js";
import { createStopSwitch } from "../runtime/stop-file.js";
import type { Sql } from "../store/database.js";
import { listLocks } from "../store/target-locks.js";
import { toLockDocument } from "../web/run-document.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { openConfig, withDatabase, withDatabaseUrl, withOpenDatabase } from "./settings.js";
import { formatTable } from "./table.js";

const NO_REASON = "no reason given";

export const stopVerb: Verb = {
  usage: 'runbook stop [--reason "…"]',
  does: "stop every runbook, on all machines; on this one also with the database gone",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { reason: { type: "string" } });
    const config = await openConfig(io);
    const order = { by: io.actor, reason: values.reason ?? NO_REASON };
    // The file before anything that could keep us waiting.
    const file = await setHere(config, order);
    if (file) io.out(`stopped on this machine: ${fileOf(config)}`);
    const unreached = await reach(config, (db) => switchOf(config, db).set(order));
    if (unreached === null)
      io.out("stopped on all machines; let them go on: algobrain runbook resume");
    else io.err(`the database was not reached, so other machines do not know it yet: ${unreached}`);
    return file || unreached === null ? EXIT_OK : EXIT_FAILED;
  },
};

export const resumeVerb: Verb = {
  usage: 'runbook resume --reason "…"',
  does: "let runbooks go on; what was stopped is asked for again",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { reason: { type: "string" } });
    if (values.reason === undefined)
      throw new UsageError("--reason is missing: why is it safe now?");
    const config = await openConfig(io);
    const order = { by: io.actor, reason: values.reason };
    let removed = false;
    const unreached = await reach(config, async (db) => {
      const reached = await switchOf(config, db).clear(order);
      removed = reached.file;
      return reached;
    });
    if (unreached !== null) {
      io.err(
        `nothing goes on: the stop stands in the database, which was not reached: ${unreached}`,
      );
      return EXIT_FAILED;
    }
    if (!removed) {
      io.err(`${fileOf(config)} could not be removed: it still stops this machine`);
      return EXIT_FAILED;
    }
    io.out("runbooks may run again");
    return EXIT_OK;
  },
};

export const locksVerb: Verb = {
  usage: "runbook locks [--json]",
  does: "what runs hold at this moment, by whom and for how long",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" } });
    const locks = await withDatabase(io, (db) => listLocks(db));
    if (values.json) io.out(JSON.stringify({ locks: locks.map(toLockDocument) }));
    else if (locks.length === 0) io.out("nothing is held");
    else
      for (const line of formatTable(
        ["target", "run", "runbook", "of", "for", "lease"],
        locks.map(({ target, runId, runbook, actor, heldForMs, leaseLeftMs }) => [
          ...[target, runId, runbook, actor],
          ...[formatAge(heldForMs), formatAge(leaseLeftMs)],
        ]),
      ))
        io.out(line);
    return EXIT_OK;
  },
};

function fileOf({ stopFile, home }: Config): string {
  return stopFile ?? join(home, "STOP");
}

function switchOf(config: Config, db: Sql | null) {
  return createStopSwitch({ db, file: fileOf(config), clock: systemClock, log: silentLogger });
}

/** False when the file cannot be written: then the database may still be told. */
async function setHere(config: Config, order: StopOrder): Promise<boolean> {
  try {
    return (await switchOf(config, null).set(order)).file;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === "STOP_NOT_SET") return false;
    throw thrown;
  }
}

/** Null when the database has taken the order, else why not. */
async function reach(
  config: Config,
  order: (db: Sql) => Promise<StopReached>,
): Promise<string | null> {
  const ask = async (db: Sql): Promise<string | null> => {
    // The switch itself tells only that it failed; this tells why.
    await db.query("SELECT FROM control.stop_switch");
    return (await order(db)).database ? null : "it did not take the order";
  };
  try {
    return await withDatabaseUrl(config, (url) => withOpenDatabase(url, config, ask));
  } catch (thrown) {
    return errorMessage(thrown);
  }
}
