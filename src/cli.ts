/** The bin: finds the command, and turns what happens into an exit code (0 ok, 1 findings or failure, 2 usage). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { didYouMean } from "./base/similar.js";
import {
  type Command,
  type CommandIo,
  EXIT_OK,
  EXIT_USAGE,
  formsOf,
  runCommand,
} from "./cli/command.js";
import { processIo } from "./cli/process-io.js";
import { formatTable } from "./cli/table.js";

/** Each is loaded when it is called: checking a policy must not wait for web servers and databases to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./cli/serve.js")).serveCommand,
  gameday: async () => (await import("./cli/gameday.js")).gamedayCommand,
  index: async () => (await import("./cli/index-folder.js")).indexCommand,
  jobs: async () => (await import("./cli/jobs.js")).jobsCommand,
  runbook: async () => (await import("./cli/runbook.js")).runbookCommand,
  runs: async () => (await import("./cli/runs.js")).runsCommand,
  policy: async () => (await import("./cli/policy.js")).policyCommand,
  synth: async () => (await import("./cli/synth.js")).synthCommand,
  infra: async () => (await import("./cli/infra.js")).infraCommand,
  bootstrap: async () => (await import("./cli/bootstrap.js")).bootstrapCommand,
  token: async () => (await import("./cli/token.js")).tokenCommand,
  db: async () => (await import("./cli/database.js")).databaseCommand,
  audit: async () => (await import("./cli/audit.js")).auditCommand,
  comment: async () => (await import("./cli/comment.js")).commentCommand,
  doctor: async () => (await import("./cli/doctor.js")).doctorCommand,
  codeowners: async () => (await import("./cli/codeowners.js")).codeownersCommand,
  completion: async () => (await import("./cli/completion.js")).completionCommand(loadAll),
};

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

const HELP = ["help", "--help", "-h"];
const VERSION = ["version", "--version", "-v"];

/** Runs one command line; never throws for what a person typed. */
export async function runCli(
  args: readonly string[],
  io: CommandIo = processIo(process.env),
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || (HELP.includes(name) && rest.length === 0)) return helpOnAll(io);
  if (VERSION.includes(name)) return version(io);
  const wantsHelp =
    HELP.includes(name) || optionsOf(rest).some((word) => HELP.slice(1).includes(word));
  const typed = HELP.includes(name) ? rest[0]! : name;
  const load = Object.hasOwn(COMMANDS, typed) ? COMMANDS[typed] : undefined;
  if (!load) return unknownCommand(typed, io);
  const command = await load();
  if (wantsHelp) return helpOn(command, HELP.includes(name) ? rest.slice(1) : rest, io);
  return runCommand(command, rest, io);
}

/** Behind `--` everything is a value. */
function optionsOf(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end < 0 ? words : words.slice(0, end);
}

function loadAll(): Promise<Command[]> {
  return Promise.all(Object.values(COMMANDS).map((load) => load()));
}

function unknownCommand(typed: string, io: CommandIo): number {
  io.err(
    `unknown command "${typed}" (${didYouMean(typed, COMMAND_NAMES) ?? "see: algobrain help"})`,
  );
  return EXIT_USAGE;
}

async function helpOnAll(io: CommandIo): Promise<number> {
  io.out("algobrain: the control plane of one service, on one machine or many");
  io.out("");
  const forms = (await loadAll()).flatMap((command) => command.forms);
  const rows = forms.map(({ usage, does }) => [withoutOptions(usage), does]);
  for (const line of formatTable(["command", "does"], rows)) io.out(line);
  io.out("");
  io.out(
    "algobrain COMMAND --help shows the options. Exit codes: 0 ok, 1 findings or failure, 2 usage.",
  );
  return EXIT_OK;
}

/** `jobs list`, `db rollback NAME`: what to type, without what may be added. */
function withoutOptions(usage: string): string {
  return usage.replace(/ \[?--.*$/, "");
}

function helpOn(command: Command, args: readonly string[], io: CommandIo): number {
  for (const { usage, does } of formsOf(command, args)) {
    io.out(`algobrain ${usage}`);
    io.out(`    ${does}`);
  }
  return EXIT_OK;
}

async function version(io: CommandIo): Promise<number> {
  const text = await readFile(join(io.packageRoot, "package.json"), "utf8");
  io.out((JSON.parse(text) as { version: string }).version);
  return EXIT_OK;
}
