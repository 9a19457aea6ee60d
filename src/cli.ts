/** The bin: finds the command, and turns what happens into an exit code (0 ok, 1 findings or failure, 2 usage). */
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean } from "./base/similar.js";
import { auditCommand } from "./cli/audit.js";
import { type Command, type CommandIo, EXIT_OK, EXIT_USAGE, runCommand } from "./cli/command.js";
import { databaseCommand } from "./cli/database.js";
import { gamedayCommand } from "./cli/gameday.js";
import { indexCommand, jobsCommand } from "./cli/jobs.js";
import { policyCommand } from "./cli/policy.js";
import { runbookCommand } from "./cli/runbook.js";
import { serveCommand } from "./cli/serve.js";
import { synthCommand } from "./cli/synth.js";
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

/** Runs one command line; never throws for what a person typed. */
export async function runCli(args: readonly string[]): Promise<number> {
  const io = processIo();
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") return help(io);
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) {
    const hint =
      didYouMean(
        name,
        COMMANDS.map((known) => known.name),
      ) ?? "see: algobrain help";
    io.err(`unknown command "${name}" (${hint})`);
    return EXIT_USAGE;
  }
  if (rest.includes("--help")) return usage(command, io);
  return runCommand(command, rest, io);
}

function help(io: CommandIo): number {
  io.out("algobrain: the control plane. Commands:");
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  for (const { name, summary } of COMMANDS) io.out(`  ${name.padEnd(width)}  ${summary}`);
  io.out(
    "Exit codes: 0 ok, 1 findings or failure, 2 usage. `algobrain COMMAND --help` shows its forms.",
  );
  return EXIT_OK;
}

function usage(command: Command, io: CommandIo): number {
  io.out(command.summary);
  for (const line of command.usage) io.out(`  algobrain ${line}`);
  return EXIT_OK;
}

function processIo(): CommandIo {
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    env: process.env,
    packageRoot: packageRoot(),
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY === true,
    actor: `cli:${userName()}`,
  };
}

/** From `src/cli.ts` under a loader, from `dist/src/cli.js` otherwise. */
function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const parent = resolve(here, "..");
  return parent.endsWith("dist") ? resolve(parent, "..") : parent;
}

/** A user id without a name is normal in containers. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
