/** `runbook list | show | run`: asks like every other door, then follows the run to its end. */
import { fault } from "../base/fault.js";
import { readPublished } from "../main/policy.js";
import { loadRunbooks } from "../main/runbooks.js";
import type { PolicySet } from "../policy/policy.js";
import { readArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import type { RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";
import { checkRequest } from "../runbook/request.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import { submitRun } from "../store/submit-run.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, commandOfVerbs, EXIT_OK, type Verb } from "./command.js";
import { followRun } from "./follow-run.js";
import { nobodyWorks } from "./liveness.js";
import { withDatabase } from "./settings.js";
import { locksVerb, resumeVerb, stopVerb } from "./stop.js";
import { formatTable } from "./table.js";
import { trustVerb } from "./trust.js";

const DANGERS: Readonly<Record<Runbook["danger"], string>> = {
  R: "only reads",
  V: "can be undone",
  D: "cannot be undone",
};

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
  does: "what one does, its parameters and steps",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["NAME"]);
    const { runbook } = findRunbook(await loadRunbooks(), operands[0]);
    if (values.json) {
      const { params, steps } = runbook;
      io.out(JSON.stringify({ ...facts(runbook), params, steps: steps.map(({ name }) => name) }));
    } else for (const line of describeRunbook(runbook)) io.out(line);
    return EXIT_OK;
  },
};

const runVerb: Verb = {
  usage: "runbook run NAME [VALUE…] [--PARAMETER VALUE…] [--dry-run]",
  does: "run one and follow it to its end",
  run: async ([name, ...words], io) => {
    if (name === undefined || name === "") throw new UsageError("NAME is missing");
    const registry = await loadRunbooks();
    const entry = findRunbook(registry, name);
    const typed = readArguments(entry.runbook, words);
    if (!typed.ok) throw wrongCall(typed.problems, entry.runbook);
    const checked = checkRequest(registry, { runbook: entry.runbook.name, ...typed.value });
    if (!checked.ok) throw wrongCall(checked.problems, entry.runbook);
    return start(registry, entry, typed.value, io);
  },
};

export const runbookCommand = commandOfVerbs("runbook", {
  list: listVerb,
  show: showVerb,
  run: runVerb,
  stop: stopVerb,
  resume: resumeVerb,
  locks: locksVerb,
  trust: trustVerb,
});

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

function describeRunbook(runbook: Runbook): string[] {
  const { name, title, danger, aliases, params, steps, verify } = runbook;
  const rows = Object.entries(params.properties).map(([parameter, schema]) => {
    const { description = "", default: preset } = schema as Described;
    const isNeeded = preset === undefined && params.required?.includes(parameter);
    const may = preset === undefined ? "may be left out" : `default ${JSON.stringify(preset)}`;
    return [`  ${parameter}`, isNeeded ? "needed" : may, description];
  });
  return [
    `${name}: ${title}`,
    `danger: ${DANGERS[danger]}${aliases.length > 0 ? `; short: ${aliases.join(", ")}` : ""}`,
    ...(rows.length > 0 ? formatTable(["parameter", "", "means"], rows) : ["no parameters"]),
    "steps:",
    ...steps.map((step) => `  ${step.name}`),
    ...(verify ? ["  verify: success is decided by looking, not by the steps ending"] : []),
    callOf(runbook),
  ];
}

interface Described {
  readonly description?: string;
  readonly default?: unknown;
}

/** How it is called here; the same words work behind /algobrain. */
function callOf({ name, positional, params }: Runbook): string {
  const words = positional.map((one) => {
    const { default: preset } = params.properties[one] as Described;
    const isNeeded = preset === undefined && params.required?.includes(one);
    return isNeeded ? one.toUpperCase() : `[${one.toUpperCase()}]`;
  });
  return ["call: algobrain runbook run", name, ...words, "[--dry-run]"].join(" ");
}

function wrongCall(problems: readonly string[], runbook: Runbook): UsageError {
  return new UsageError(`${problems.join("; ")}\n${callOf(runbook)}`);
}

async function start(
  registry: RunbookRegistry,
  { runbook }: RegisteredRunbook,
  asked: { readonly params: Readonly<Record<string, string>>; readonly dryRun: boolean },
  io: CommandIo,
): Promise<number> {
  return withDatabase(io, async (db) => {
    const { set: policy } = await readPublished(db);
    const why = await nobodyWorks(db, "runbook");
    if (why !== null) {
      // Not queued: what acts must not act hours later, when nobody thinks of it any more.
      throw fault.refused("RUNTIME_NOT_ALIVE", `nothing was asked for, because ${why}`);
    }
    const submitted = await submitRun(db, {
      registry,
      access: policy.access,
      // Whoever holds the database holds everything in it: the role says no more than that.
      actor: { name: io.actor, role: "admin", door: "cli" },
      runbook: runbook.name,
      ...asked,
    });
    if (submitted.outcome === "refused")
      throw fault.refused("RUN_REFUSED", `refused: ${submitted.sentence}`);
    const { run, outcome } = submitted;
    io.out(outcome === "queued" ? `${run.id} queued` : `${run.id} does the same at this moment`);
    return followRun(db, run, runbook, io);
  });
}
