/** What was typed after a command, strictly: every option and operand is one that the form knows. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { errorMessage } from "../base/fault.js";
import { didYouMean } from "../base/similar.js";

/** Asked wrongly: the message and the usage are shown, the exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Of `["TYPE", "[JSON]"]` the first must be there and the second may be. */
type Operands<Names extends readonly string[]> = {
  readonly [K in keyof Names]: Names[K] extends `[${string}]` ? string | undefined : string;
};

/** Throws a UsageError for whatever the form does not have, and for what it needs and did not get. */
export function parseCommandLine<O extends Options, const Names extends readonly string[] = []>(
  args: readonly string[],
  options: O,
  names?: Names,
) {
  const { values, positionals } = parse(args, options);
  for (const [name, value] of Object.entries(values))
    if (value === "") throw new UsageError(`--${name}: found nothing, expected a value`);
  return { values, operands: checkOperands(positionals, names ?? []) as Operands<Names> };
}

function checkOperands(found: readonly string[], names: readonly string[]): readonly string[] {
  for (const [at, word] of found.entries()) {
    const name = names[at];
    if (name === undefined) throw new UsageError(`unexpected "${word}"`);
    // A shell variable that is not set: better asked than guessed.
    if (word === "") throw new UsageError(`found nothing where ${name} was expected`);
  }
  const missing = names[found.length];
  if (missing !== undefined && !missing.startsWith("["))
    throw new UsageError(`${missing} is missing`);
  return found;
}

function parse<O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(sentenceOf(error, options));
  }
}

/** Node's refusals run over several lines and advise what does not help here. */
function sentenceOf(error: unknown, options: Options): string {
  const message = errorMessage(error);
  const typed = /'(?:-\w, )?(-[^' ]*)/.exec(message)?.[1];
  if (typed === undefined) return message.split("\n")[0]!;
  if (message.startsWith("Unknown option")) {
    const known = Object.keys(options).map((name) => `--${name}`);
    const hint = didYouMean(typed, known) ?? `known are ${known.join(", ") || "none"}`;
    return `unknown option "${typed}" (${hint})`;
  }
  if (message.includes("does not take an argument")) return `${typed} takes no value`;
  return `${typed} needs a value after it`;
}

/** One of the known words, or a UsageError that lists them. */
export function oneOf<T extends string>(what: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  const hint = didYouMean(text, known);
  const sentence = `${what}: found "${text}", expected ${known.join(", ")}`;
  throw new UsageError(hint === undefined ? sentence : `${sentence} (${hint})`);
}
