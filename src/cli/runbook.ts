/** `runbook …`: asks like every other door, then follows the run to its end. */
import { Fault, fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import { loadRunbooks } from "../main/runbooks.js";
import type { PolicySet } from "../policy/policy.js";
import { readArguments, type TypedArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import type { RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";
import { checkRequest } from "../runbook/request.js";
import type { Run } from "../runbook/run.js";
import { findCommit } from "../runtime/commit.js";
import type { Config } from "../runtime/config.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import type { Database } from "../store/database.js";
import { readRun } from "../store/runs.js";
import { submitRun } from "../store/submit-run.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { askParameters, isOnlyIncomplete } from "./ask-parameters.js";
import { type CommandIo, commandOfVerbs, EXIT_INTERRUPTED, EXIT_OK, type Verb } from "./command.js";
import { completeVerb } from "./complete-runbook.js";
import { followRun } from "./follow-run.js";
import { nobodyWorks } from "./liveness.js";
import type { runOffline } from "./offline-run.js";
import { type Asker, askerOf } from "./run-asker.js";
import { cancelVerb, undoVerb } from "./run-orders.js";
import { DANGERS, describePlan, planDocument } from "./run-plan.js";
import { callOf, describeRunbook } from "./runbook-text.js";
import { withDatabase } from "./settings.js";
import { locksVerb, resumeVerb, stopVerb } from "./stop.js";
import { formatTable } from "./table.js";
import type { Terminal } from "./terminal.js";
import { trustVerb } from "./trust.js";
import { describeLook, lookAtTrust, lookDocument } from "./trust-look.js";

const listVerb: Verb = {
  usage: "runbook list [--json]",
  does: "the runbooks that may be run",
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { json: { type: "boolean" } });
    const policy = await shippedPolicy(io);
    const built = (await loadRunbooks()).list().map(({ runbook }) => runbook);
    const statuses = Object.values(policy.runbooks);
    const planned = statuses.filter((status) => status === "planned").length;
    if (values.json) {
      io.out(JSON.stringify({ runbooks: built.map(facts), planned }));
      return EXIT_OK;
    }
    const rows = built.map(({ name, danger, title }) => [name, DANGERS[danger], title]);
    for (const line of formatTable(["runbook", "danger", "does"], rows)) io.out(line);
    io.out(`${built.length} built, ${planned} planned (runbooks/catalogue.yaml)`);
    return EXIT_OK;
  },
};

const showVerb: Verb = {
  usage: "runbook show NAME [--json]",
  does: "what one does, its parameters and steps, and how far it is trusted",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["NAME"]);
    const entry = findRunbook(await loadRunbooks(), operands[0]);
    const { params, steps } = entry.runbook;
    if (!values.json) for (const line of describeRunbook(entry.runbook)) io.out(line);
    const trust = await lookAtTrust(entry, io);
    if (!values.json) for (const line of describeLook(trust)) io.out(line);
    else {
      const definition = { ...facts(entry.runbook), params, steps: steps.map(({ name }) => name) };
      io.out(JSON.stringify({ ...definition, ...lookDocument(trust) }));
    }
    return EXIT_OK;
  },
};

const runVerb: Verb = {
  usage:
    'runbook run NAME [VALUE…] [--PARAMETER VALUE…] [--reason "…"] [--dry-run] [--drill] [--json] [--offline]',
  does: "run one and follow it to its end; --dry-run shows what people would agree to",
  run: async ([name, ...typedWords], io) => {
    if (name === undefined || name === "") throw new UsageError("NAME is missing");
    const registry = await loadRunbooks();
    const entry = findRunbook(registry, name);
    const [json, offline] = ["--json", "--offline"].map((word) => typedWords.includes(word));
    const words = typedWords.filter((word) => word !== "--json" && word !== "--offline");
    const read = readArguments(entry.runbook, words);
    if (!read.ok) throw wrongCall(read.problems, entry.runbook);
    const typed = await completeByAsking(entry.runbook, read.value, json ? null : io.terminal);
    if (typed === null) return ended(io);
    const checked = checkRequest(registry, { runbook: entry.runbook.name, ...typed });
    if (!checked.ok) throw wrongCall(checked.problems, entry.runbook);
    if (offline) return lookFromHere(entry, checked.params, io);
    const asked = { ...typed, json: json === true };
    return startOrLook(registry, entry, asked, checked.params, io);
  },
};

export const runbookCommand = commandOfVerbs("runbook", {
  list: listVerb,
  show: showVerb,
  run: runVerb,
  complete: completeVerb,
  cancel: cancelVerb,
  undo: undoVerb,
  stop: stopVerb,
  resume: resumeVerb,
  locks: locksVerb,
  trust: trustVerb,
});

/** The same, where nobody can be asked or nothing is missing. Null: the person ended it. */
async function completeByAsking(
  runbook: Runbook,
  typed: TypedArguments,
  terminal: Terminal | null,
): Promise<TypedArguments | null> {
  if (terminal === null || !isOnlyIncomplete(runbook, typed)) return typed;
  return askParameters(runbook, typed, terminal);
}

function ended(io: CommandIo): number {
  io.err("runbook: nothing was run: you ended the questions before the last was answered");
  return EXIT_INTERRUPTED;
}

function facts({ name, title, danger, aliases }: Runbook) {
  return { name, title, danger, aliases };
}

async function shippedPolicy(io: CommandIo): Promise<PolicySet> {
  const checked = loadDirectory(await readPolicyDirectory("policies", io), "local");
  if (checked.ok) return checked.value;
  throw fault.refused("POLICY_INVALID", "the policies are invalid", {
    hint: "see: algobrain policy check",
  });
}

function findRunbook(registry: RunbookRegistry, name: string): RegisteredRunbook {
  const entry = registry.find(name);
  if (entry) return entry;
  const hint = registry.hintFor(name) ?? "see: algobrain runbook list";
  throw new UsageError(`unknown runbook "${name.slice(0, 60)}" (${hint})`);
}

function wrongCall(problems: readonly string[], runbook: Runbook): UsageError {
  return new UsageError(`${problems.join("; ")}\n${callOf(runbook)}`);
}

interface Asked extends TypedArguments {
  readonly json: boolean;
}

/** Loaded when it is needed: who asks for a run must not wait for all that a run itself works with to load. */
async function lookFromHere(...given: Parameters<typeof runOffline>): Promise<number> {
  const { runOffline } = await import("./offline-run.js");
  return runOffline(...given);
}

/** With the database away, what only reads looks from here: that is when it is needed most. */
async function startOrLook(
  registry: RunbookRegistry,
  entry: RegisteredRunbook,
  asked: Asked,
  params: JsonObject,
  io: CommandIo,
): Promise<number> {
  let isReached = false;
  try {
    return await withDatabase(io, (db, config) => {
      isReached = true;
      return start(registry, entry, asked, { db, config, io });
    });
  } catch (thrown) {
    const isAway = thrown instanceof Fault && thrown.code === "DATABASE_UNAVAILABLE";
    if (isReached || !isAway || entry.runbook.danger !== "R") throw thrown;
    io.err(`${thrown.message}: running offline`);
    return lookFromHere(entry, params, io);
  }
}

interface Desk {
  readonly db: Database;
  readonly config: Config;
  readonly io: CommandIo;
}

async function start(
  registry: RunbookRegistry,
  { runbook }: RegisteredRunbook,
  { json, drill, ...asked }: Asked,
  { db, config, io }: Desk,
): Promise<number> {
  const asker = await askerOf(db, io);
  const why = await nobodyWorks(db, "runbook");
  if (why !== null) {
    // Not queued: what acts must not act hours later, when nobody thinks of it any more.
    throw fault.refused("RUNTIME_NOT_ALIVE", `nothing was asked for, because ${why}`);
  }
  const commit = await findCommit(config.commit, io.packageRoot);
  const submitted = await submitRun(db, {
    ...{ registry, commit, runbook: runbook.name, isDrill: drill },
    ...asker,
    ...asked,
  });
  if (submitted.outcome === "refused")
    throw fault.refused("RUN_REFUSED", `refused: ${submitted.sentence}`);
  const { run, outcome } = submitted;
  if (!json)
    io.out(outcome === "queued" ? `${run.id} queued` : `${run.id} does the same at this moment`);
  const code = await followRun(db, run, { runbook, json }, io);
  if (run.dryRun) await showPlan(db, run, runbook, { ...asker, json }, io);
  return code;
}

/** A dry run that failed has no plan to show. */
async function showPlan(
  db: Database,
  { id }: Run,
  runbook: Runbook,
  asker: Asker & { readonly json: boolean },
  io: CommandIo,
): Promise<void> {
  const planned = await readRun(db, id);
  if (!planned?.plan) return;
  const document = planDocument(planned, runbook, asker);
  if (asker.json) io.out(JSON.stringify({ event: "plan", data: document }));
  else for (const line of describePlan(document, runbook)) io.out(line);
}
