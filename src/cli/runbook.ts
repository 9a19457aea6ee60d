/** `runbook list | show | run`: asks like every other door, then follows the run to its end. */
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { readPublished } from "../main/policy.js";
import { loadRunbooks } from "../main/runbooks.js";
import { toPlain } from "../message/plain.js";
import type { PolicySet } from "../policy/policy.js";
import { readArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import type { RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";
import { isFinal, type Run } from "../runbook/run.js";
import { endingMessage } from "../runbook/telling.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import type { Database } from "../store/database.js";
import { readSteps } from "../store/run-steps.js";
import { readRun } from "../store/runs.js";
import { submitRun } from "../store/submit-run.js";
import { listWorkers } from "../store/workers.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK, UsageError } from "./command.js";
import { withDatabase } from "./settings.js";
import { formatTable } from "./table.js";

const FOLLOW_MS = 200;

export const runbookCommand: Command = {
  name: "runbook",
  usage: [
    "runbook list [--json]",
    "runbook show NAME",
    "runbook run NAME [VALUE…] [--param value…] [--dry-run]",
  ],
  summary: "list runbooks, show one, run one and follow it",
  async run(args, io) {
    const [verb, name, ...rest] = args;
    const registry = await loadRunbooks();
    if (verb === "list") return list(registry, args.includes("--json"), io);
    if (verb !== "show" && verb !== "run")
      throw new UsageError(`unknown command "runbook ${verb ?? ""}"`.trim());
    if (name === undefined) throw new UsageError("expected the name of a runbook");
    const entry = registry.find(name);
    if (!entry) {
      const hint = registry.hintFor(name) ?? "see: algobrain runbook list";
      throw new UsageError(`unknown runbook "${name}" (${hint})`);
    }
    return verb === "show" ? show(entry.runbook, io) : start(registry, entry, rest, io);
  },
};

async function list(registry: RunbookRegistry, json: boolean, io: CommandIo): Promise<number> {
  const policy = await shippedPolicy(io);
  const built = registry.list().map(({ runbook }) => runbook);
  const planned = Object.entries(policy.runbooks).filter(
    ([, status]) => status === "planned",
  ).length;
  if (json) {
    const runbooks = built.map(({ name, title, danger, aliases }) => ({
      name,
      title,
      danger,
      aliases,
    }));
    io.out(JSON.stringify({ runbooks, planned }));
    return EXIT_OK;
  }
  const rows = built.map(({ name, danger, title }) => [name, danger, title]);
  for (const line of formatTable(["runbook", "danger", "does"], rows)) io.out(line);
  io.out(`${built.length} built, ${planned} planned (runbooks/catalogue.yaml)`);
  return EXIT_OK;
}

async function shippedPolicy(io: CommandIo): Promise<PolicySet> {
  const checked = loadDirectory(await readPolicyDirectory("policies", io), "local");
  if (!checked.ok)
    throw fault.refused("POLICY_INVALID", "the policies are invalid", {
      hint: "see: algobrain policy check",
    });
  return checked.value;
}

function show(runbook: Runbook, io: CommandIo): number {
  io.out(`${runbook.name} (${runbook.danger}): ${runbook.title}`);
  const rows = Object.entries(runbook.params.properties).map(([name, schema]) => {
    const { description = "", default: preset } = schema as {
      description?: string;
      default?: unknown;
    };
    const needed = runbook.params.required?.includes(name)
      ? "needed"
      : `default ${JSON.stringify(preset ?? null)}`;
    return [name, needed, description];
  });
  if (rows.length > 0)
    for (const line of formatTable(["parameter", "", "means"], rows)) io.out(line);
  io.out("steps:");
  for (const step of runbook.steps) io.out(`  ${step.name}`);
  if (runbook.verify) io.out("  verify: success is decided by looking, not by the steps ending");
  return EXIT_OK;
}

async function start(
  registry: RunbookRegistry,
  entry: RegisteredRunbook,
  words: readonly string[],
  io: CommandIo,
): Promise<number> {
  const typed = readArguments(entry.runbook, words);
  if (!typed.ok) throw new UsageError(typed.problems.join("; "));
  return withDatabase(io, async (db) => {
    const { set: policy } = await readPublished(db);
    const submitted = await submitRun(db, {
      registry,
      access: policy.access,
      // Whoever holds the database holds everything in it: the role says no more than that.
      actor: { name: io.actor, role: "admin", door: "cli" },
      runbook: entry.runbook.name,
      ...typed.value,
    });
    if (submitted.outcome === "refused") throw fault.refused("RUN_REFUSED", submitted.sentence);
    if (submitted.outcome === "already-running")
      io.out(`${submitted.run.id} does the same at this moment`);
    return follow(db, submitted.run, entry.runbook, io);
  });
}

async function follow(db: Database, run: Run, runbook: Runbook, io: CommandIo): Promise<number> {
  const workers = await listWorkers(db);
  if (!workers.some(({ status, kinds }) => status === "alive" && kinds.includes("runbook"))) {
    io.out(`${run.id} is queued: no worker is alive to run it (start the runtime with npm start)`);
    return EXIT_FAILED;
  }
  const told = new Set<string>();
  for (;;) {
    const now = await readRun(db, run.id);
    if (!now) throw fault.critical("RUN_VANISHED", `${run.id} is no longer in the database`);
    for (const step of await readSteps(db, now.seq)) {
      const line = `${step.phase.padEnd(6)} ${step.name}: ${step.status}`;
      if (!told.has(line)) io.out(line);
      told.add(line);
    }
    if (isFinal(now.status)) return finish(now, runbook, io);
    await systemClock.sleep(FOLLOW_MS);
  }
}

function finish(run: Run, runbook: Runbook, io: CommandIo): number {
  const { status, outcome, output } = run;
  if (!isFinal(status)) return EXIT_FAILED;
  const message = endingMessage(run, { status, outcome: outcome ?? status, output }, runbook);
  for (const line of toPlain(message).split("\n")) io.out(line);
  return status === "succeeded" ? EXIT_OK : EXIT_FAILED;
}
