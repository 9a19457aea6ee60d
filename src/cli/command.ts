/** What every command of the bin is: a name, its forms, and a function that returns an exit code. */
import { errorMessage, Fault } from "../base/fault.js";
import { didYouMean } from "../base/similar.js";
import { UsageError } from "./arguments.js";
import type { Terminal } from "./terminal.js";

export const EXIT_OK = 0;
/** Findings or failure. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** A person ended it: 128 and the number of SIGINT, as shells say it. */
export const EXIT_INTERRUPTED = 130;

export interface CommandIo {
  out(line: string): void;
  err(line: string): void;
  /** How far long work is: one redrawn line on a terminal, a plain line on standard error elsewhere. */
  progress(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the product's own files are: policies, runbooks, migrations. */
  readonly packageRoot: string;
  readonly cwd: string;
  /** The person at the terminal, for the audit: `cli:<user>`. */
  readonly actor: string;
  /** Where that person can be asked; null: nobody sits there. */
  readonly terminal: Terminal | null;
}

/** One way to call a command. */
export interface Form {
  /** After the bin's name: `jobs show ID [--json]`. */
  readonly usage: string;
  readonly does: string;
}

export interface Command {
  readonly name: string;
  readonly forms: readonly Form[];
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** `show` of `jobs`. */
export interface Verb extends Form {
  /** Without the verb itself. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

export function commandOfVerbs(name: string, verbs: Readonly<Record<string, Verb>>): Command {
  const known = Object.keys(verbs);
  return {
    name,
    forms: Object.values(verbs),
    run: async ([word, ...args], io) => {
      if (word === undefined) throw new UsageError(`expected one of ${known.join(", ")}`);
      const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined;
      if (verb) return verb.run(args, io);
      const hint = didYouMean(word, known) ?? `expected one of ${known.join(", ")}`;
      throw new UsageError(`unknown command "${name} ${word}" (${hint})`);
    },
  };
}

/** Those of the verb that was typed; all when it is none. */
export function formsOf({ name, forms }: Command, args: readonly string[]): readonly Form[] {
  const ofVerb = forms.filter(({ usage }) => `${usage} `.startsWith(`${name} ${args[0]} `));
  return ofVerb.length > 0 ? ofVerb : forms;
}

/** Runs a command and turns what it throws into clear sentences and an exit code. Never throws. */
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
      for (const { usage } of formsOf(command, args)) io.err(`usage: algobrain ${usage}`);
      return EXIT_USAGE;
    }
    io.err(`${command.name}: ${errorMessage(error)}`);
    if (error instanceof Fault && error.hint) io.err(`hint: ${error.hint}`);
    return EXIT_FAILED;
  }
}
