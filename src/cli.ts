/** The bin: finds the command, and turns what happens into an exit code (0 ok, 1 findings or failure, 2 usage). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { didYouMean } from "./base/similar.js";
import { auditCommand } from "./cli/audit.js";
import {
  type Command,
  type CommandIo,
  EXIT_OK,
  EXIT_USAGE,
  formsOf,
  runCommand,
} from "./cli/command.js";
import { databaseCommand } from "./cli/database.js";
import { gamedayCommand } from "./cli/gameday.js";
import { indexCommand } from "./cli/index-folder.js";
import { jobsCommand } from "./cli/jobs.js";
import { policyCommand } from "./cli/policy.js";
import { processIo } from "./cli/process-io.js";
import { runbookCommand } from "./cli/runbook.js";
import { serveCommand } from "./cli/serve.js";
import { synthCommand } from "./cli/synth.js";
import { formatTable } from "./cli/table.js";
import { tokenCommand } from "./cli/token.js";

export const COMMANDS: readonly Command[] = [
  serveCommand,
  gamedayCommand,
  indexCommand,
  jobsCommand,
  runbookCommand,
  policyCommand,
  synthCommand,
  tokenCommand,
  databaseCommand,
  auditCommand,
];

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
  const wantsHelp = HELP.includes(name) || rest.some((word) => HELP.slice(1).includes(word));
  const typed = HELP.includes(name) ? rest[0]! : name;
  const command = COMMANDS.find((known) => known.name === typed);
  if (!command) return unknownCommand(typed, io);
  if (wantsHelp) return helpOn(command, HELP.includes(name) ? rest.slice(1) : rest, io);
  return runCommand(command, rest, io);
}

function unknownCommand(typed: string, io: CommandIo): number {
  const names = COMMANDS.map(({ name }) => name);
  io.err(`unknown command "${typed}" (${didYouMean(typed, names) ?? "see: algobrain help"})`);
  return EXIT_USAGE;
}

function helpOnAll(io: CommandIo): number {
  io.out("algobrain: the control plane of one service, on one machine or many");
  io.out("");
  const forms = COMMANDS.flatMap((command) => command.forms);
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
