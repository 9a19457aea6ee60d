/** What is answered at once, without the database: help, and what was wrong with a command. */
import type { Message } from "../message/message.js";
import { readArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import { describePrompt, positionalWords, promptsOf } from "../runbook/prompts.js";
import { readyLine } from "../runbook/ready-line.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Command } from "./command.js";
import { quoteWord } from "./words.js";

/** Longer lines are not copied but typed. */
const LINE_MAX = 1_000;

const DANGERS: Readonly<Record<Runbook["danger"], string>> = {
  R: "only reads",
  V: "changes something, and can be changed back",
  D: "destroys something",
};

/** Words of this door besides the runbooks. */
const VERBS = [
  "/algobrain runs",
  "    the newest runs; /algobrain run-17 shows one",
  "/algobrain approve|deny|cancel|undo RUN [REASON]",
  "    as the buttons of its message do",
  "/algobrain locks",
  "    what is held, by which run",
  "/algobrain note [INCIDENT] TEXT",
  "    a line of the incident's timeline, of the only open one without its number",
  "/algobrain stop [REASON]",
  "    stops every runbook, now; resume-runbooks lets them go on",
];

/** Null for a command that is to be carried out. */
export function answerAtOnce(registry: RunbookRegistry, command: Command): Message | null {
  switch (command.kind) {
    case "run":
    case "order":
    case "note":
    case "stop":
    case "resume-runbooks":
    case "look":
      return null;
    case "help":
      return command.runbook ? helpOn(command.runbook) : helpOnAll(registry);
    case "unknown":
      return answerUnknown(registry, command);
    case "wrong":
      return answerWrong(command);
    case "unreadable":
      return { tone: "warning", title: "The command cannot be read", text: command.problem };
  }
}

/** With the line that may have been meant, ready to copy: nothing is guessed and carried out. */
function answerUnknown(
  registry: RunbookRegistry,
  { typed, near, rest }: Extract<Command, { kind: "unknown" }>,
): Message {
  const hint = near.map((word) => `"${word}"`).join(" or ");
  return {
    tone: "warning",
    title: `There is no command "${typed.slice(0, 60)}"`,
    text: `${hint === "" ? "" : `did you mean ${hint}? `}/algobrain help lists them all.`,
    ...copied(near.map((word) => meantLine(registry, word, rest))),
  };
}

function meantLine(
  registry: RunbookRegistry,
  word: string,
  rest: readonly string[],
): string | null {
  const runbook = registry.find(word)?.runbook;
  if (!runbook || rest[0] === "--help") return lineOf([word, ...rest]);
  const read = readArguments(runbook, rest);
  return lineOf(readyLine(runbook, read.ok ? read.value : read.read).words);
}

function answerWrong({ runbook, problems, read }: Extract<Command, { kind: "wrong" }>): Message {
  const { words, isWhole } = readyLine(runbook, read);
  const line = copied([lineOf(words)]);
  const lead = isWhole ? "To copy:" : "To copy, and to fill in between the quotes:";
  const sentences = [...problems, `usage: ${usageOf(runbook)}`];
  return {
    tone: "warning",
    title: `Not run: ${runbook.name}`,
    text: [...sentences, ...(line.code === undefined ? [] : [lead])].join("\n"),
    ...line,
  };
}

function copied(lines: readonly (string | null)[]): Pick<Message, "code"> {
  const whole = [...new Set(lines)].filter((line) => line !== null && line.length <= LINE_MAX);
  return whole.length === 0 ? {} : { code: whole.join("\n") };
}

/** Null: it cannot be typed here. */
function lineOf(words: readonly string[]): string | null {
  const quoted = words.map(quoteWord);
  return quoted.includes(null) ? null : ["/algobrain", ...quoted].join(" ");
}

/** `/algobrain rerun-job JOB [REASON] [force=…]` */
export function usageOf(runbook: Runbook): string {
  const named = promptsOf(runbook)
    .filter(({ name }) => !runbook.positional.includes(name))
    .map(({ name, isNeeded }) => (isNeeded ? `${name}=…` : `[${name}=…]`));
  return ["/algobrain", runbook.name, ...positionalWords(runbook), ...named].join(" ");
}

function helpOnAll(registry: RunbookRegistry): Message {
  return {
    tone: "info",
    title: "AlgoBrain commands",
    code: [
      ...registry.list().map(({ runbook }) => `${usageOf(runbook)}\n    ${runbook.title}`),
      ...VERBS,
    ].join("\n"),
    footer:
      '/algobrain help NAME tells more; add --reason "…", or --dry-run to only see what would happen',
  };
}

function helpOn(runbook: Runbook): Message {
  const params = promptsOf(runbook).map((prompt) => {
    const unless = prompt.preset === null ? "" : ` (default ${JSON.stringify(prompt.preset)})`;
    return `${prompt.name}: ${describePrompt(prompt)}${unless}`;
  });
  const short = runbook.aliases.length > 0 ? `\nshort: ${runbook.aliases.join(", ")}` : "";
  return {
    tone: "info",
    title: `${runbook.name}: ${runbook.title}`,
    text: `It ${DANGERS[runbook.danger]}.`,
    code: [`${usageOf(runbook)}${short}`, ...params].join("\n"),
  };
}
