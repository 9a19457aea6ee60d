/** `completion bash | zsh | fish`: a script that completes the commands of this program, made from their forms. */
import { oneOf, parseCommandLine } from "./arguments.js";
import { type Command, EXIT_OK, type Form } from "./command.js";
import { type CompletionTable, completionScript, SHELLS } from "./completion-script.js";

/** `--status` and `STATUS`, `--json` and nothing. */
const OPTIONS = /(--[a-z][\w-]*)(?: (?!-)([^\s\]]+))?/g;

/** @param load every command of the program, this one among them */
export function completionCommand(load: () => Promise<readonly Command[]>): Command {
  return {
    name: "completion",
    forms: [
      {
        usage: `completion ${SHELLS.join("|")}`,
        does: "print what completes these commands in a shell: source <(algobrain completion bash)",
      },
    ],
    run: async (args, io) => {
      const { operands } = parseCommandLine(args, {}, ["SHELL"]);
      const shell = oneOf("SHELL", operands[0], SHELLS);
      io.out((await completionScript(shell, tableOf(await load()), io.packageRoot)).trimEnd());
      return EXIT_OK;
    },
  };
}

/**
 * Under "" the commands, under `jobs` what may follow it, under `jobs list` its options, and under `jobs list --status`
 * the values where the form names them all.
 */
export function tableOf(commands: readonly Command[]): CompletionTable {
  const table = new Map<string, Map<string, string>>();
  const words = (key: string) => {
    const known = table.get(key) ?? new Map<string, string>();
    table.set(key, known);
    return known;
  };
  for (const { name, forms } of commands) {
    words("").set(name, forms.length === 1 ? forms[0]!.does : verbsOf(forms).join(", "));
    for (const form of forms) addForm(name, form, words);
  }
  return table;
}

function addForm(name: string, { usage, does }: Form, words: (key: string) => Map<string, string>) {
  const verb = verbOf(usage);
  if (verb !== null) words(name).set(verb, does);
  const key = verb === null ? name : `${name} ${verb}`;
  const operands = usage.split(" ").slice(verb === null ? 1 : 2);
  for (const choice of choicesIn(operands[0] ?? "")) words(key).set(choice, "");
  for (const [, option = "", value = ""] of usage.matchAll(OPTIONS)) {
    words(key).set(option, value);
    if (value === "") continue;
    // Also where no value is known: then no option is offered in its place.
    const values = words(`${key} ${option}`);
    for (const choice of choicesIn(value)) values.set(choice, "");
  }
}

function verbsOf(forms: readonly Form[]): string[] {
  return forms.map(({ usage }) => verbOf(usage)).filter((verb) => verb !== null);
}

/** `list` of `jobs list --json`; null for a command that has none. */
function verbOf(usage: string): string | null {
  return /^[a-z][a-z-]* ([a-z][a-z-]*)(?= |$)/.exec(usage)?.[1] ?? null;
}

/** Of `text|github|json` all three; of `FILE|-` or `NUMBER` none. */
function choicesIn(value: string): string[] {
  return /^[a-z]+(\|[a-z]+)+$/.test(value) ? value.split("|") : [];
}
