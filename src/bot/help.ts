/** What is answered at once, without the database: help, and what was wrong with a command. */
import type { Message } from "../message/message.js";
import type { Runbook } from "../runbook/define.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Command } from "./command.js";

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
  "/algobrain stop [REASON]",
  "    stops every runbook, now; resume-runbooks lets them go on",
];

/** Null for a command that is to be carried out. */
export function answerAtOnce(registry: RunbookRegistry, command: Command): Message | null {
  switch (command.kind) {
    case "run":
    case "order":
    case "stop":
    case "resume-runbooks":
    case "look":
      return null;
    case "help":
      return command.runbook ? helpOn(command.runbook) : helpOnAll(registry);
    case "unknown":
      return {
        tone: "warning",
        title: `There is no command "${command.typed.slice(0, 60)}"`,
        text: `${command.hint ? `${command.hint} ` : ""}/algobrain help lists them all.`,
      };
    case "wrong":
      return {
        tone: "warning",
        title: `Not run: ${command.runbook.name}`,
        text: `${command.problems.join("\n")}\nusage: ${usageOf(command.runbook)}`,
      };
    case "unreadable":
      return { tone: "warning", title: "The command cannot be read", text: command.problem };
  }
}

/** `/algobrain rerun-job JOB [REASON] [force=…]` */
export function usageOf(runbook: Runbook): string {
  const required: readonly string[] = (runbook.params as { required?: string[] }).required ?? [];
  const needs = (name: string) => required.includes(name) && !hasDefault(runbook, name);
  const positional = runbook.positional.map((name) =>
    needs(name) ? name.toUpperCase() : `[${name.toUpperCase()}]`,
  );
  const named = Object.keys(runbook.params.properties)
    .filter((name) => !runbook.positional.includes(name))
    .map((name) => (needs(name) ? `${name}=…` : `[${name}=…]`));
  return ["/algobrain", runbook.name, ...positional, ...named].join(" ");
}

function hasDefault(runbook: Runbook, name: string): boolean {
  return (runbook.params.properties[name] as { default?: unknown }).default !== undefined;
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
  const params = Object.entries(runbook.params.properties).map(([name, schema]) => {
    const { description, default: preset } = schema as { description?: string; default?: unknown };
    const unless = preset === undefined ? "" : ` (default ${JSON.stringify(preset)})`;
    return `${name}: ${description ?? "no description"}${unless}`;
  });
  const short = runbook.aliases.length > 0 ? `\nshort: ${runbook.aliases.join(", ")}` : "";
  return {
    tone: "info",
    title: `${runbook.name}: ${runbook.title}`,
    text: `It ${DANGERS[runbook.danger]}.`,
    code: [`${usageOf(runbook)}${short}`, ...params].join("\n"),
  };
}
