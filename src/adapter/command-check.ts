/** Refuses commands that would not arrive at the program as they were meant. */
import { existsSync } from "node:fs";
import { type Fault, fault } from "../base/fault.js";
import type { ShellOptions } from "../runbook/port.js";

/** Linux refuses one argument over 128 KiB, and the whole command is one argument of `sh -c`. */
const COMMAND_MAX_BYTES = 100 * 1024;

/** zx makes `undefined` the word "undefined" and cuts a word at a NUL, silently: `rm -rf /data/${x}`. */
export function checkCommand(argv: readonly unknown[], options: ShellOptions): void {
  const refuse = (message: string, hint?: string) =>
    fault.data("SHELL_ARGUMENT_INVALID", message, { hint });
  if (argv.length === 0) throw refuse("no program was named");
  for (const [at, word] of argv.entries()) {
    if (typeof word !== "string") throw refuse(`argument ${at} is ${typeof word}, expected text`);
    if (word.includes("\0")) throw refuse(`argument ${at} holds a NUL character`);
  }
  checkDashes(argv.map(String), options.untrusted ?? [], refuse);
  const program = String(argv[0]);
  if (program === "" || program.startsWith("-"))
    throw refuse(`found "${program}" where a program was expected`);
  const bytes = argv.reduce<number>((sum, word) => sum + Buffer.byteLength(String(word)), 0);
  if (bytes > COMMAND_MAX_BYTES)
    throw refuse(
      `the arguments take ${bytes} bytes, at most ${COMMAND_MAX_BYTES} are possible`,
      "pass large data as `input`",
    );
  checkEnvironment(options, refuse);
}

/** A parameter that begins with `-` would be an option of the program: `--` says where the options end. */
function checkDashes(
  argv: readonly string[],
  untrusted: readonly string[],
  refuse: (message: string, hint?: string) => Fault,
): void {
  const dashes = untrusted.filter((text) => text.startsWith("-"));
  // A `--` that was typed ends nothing: then there must be one more, the runbook's own.
  const count = (words: readonly string[]) => words.filter((word) => word === "--").length;
  const end = count(argv) > count(dashes) ? argv.indexOf("--") : -1;
  for (const [at, word] of argv.slice(0, end === -1 ? undefined : end).entries()) {
    // Every option begins with a single dash: that one alone must be the whole argument.
    const typed = dashes.find(
      (text) => word === text || (text.length > 1 && word.startsWith(text)),
    );
    if (typed === undefined) continue;
    throw refuse(
      `argument ${at} is the parameter "${typed}", which ${argv[0]} would take for an option`,
      "put `--` before what people may type",
    );
  }
}

function checkEnvironment(options: ShellOptions, refuse: (message: string) => Fault): void {
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.startsWith("ZX_"))
      throw refuse(`found environment variable "${name}", expected a name that is not zx's own`);
    if (typeof value !== "string" || value.includes("\0"))
      throw refuse(`environment variable ${name} is not a text without NUL`);
  }
  if (options.cwd !== undefined && !existsSync(options.cwd))
    throw refuse(`the working directory ${options.cwd} does not exist`);
}
