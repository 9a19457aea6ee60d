/** What every command of the bin is: a name, a usage line, and a function that returns an exit code. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { errorMessage, Fault } from "../base/fault.js";

export const EXIT_OK = 0;
/** Findings or failure. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

export interface CommandIo {
  out(line: string): void;
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the product's own files are: policies, runbooks, migrations. */
  readonly packageRoot: string;
  readonly cwd: string;
  /** True when a person looks at standard output: progress may redraw a line. */
  readonly isTerminal: boolean;
  /** The person at the terminal, for the audit: `cli:<user>`. */
  readonly actor: string;
}

export interface Command {
  readonly name: string;
  /** After the bin's name: `jobs show ID [--json]`. */
  readonly usage: readonly string[];
  readonly summary: string;
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** Asked wrongly: the message and the usage are shown, the exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs` of Node with its refusals as UsageErrors. */
export function parseCommandLine<O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(errorMessage(error).split(". To specify")[0]);
  }
}

/** Runs a command and turns what it throws into one clear sentence and an exit code. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`${command.name}: ${error.message}`);
      for (const line of command.usage) io.err(`usage: algobrain ${line}`);
      return EXIT_USAGE;
    }
    io.err(`${command.name}: ${errorMessage(error)}`);
    if (error instanceof Fault && error.hint) io.err(`hint: ${error.hint}`);
    return EXIT_FAILED;
  }
}
