/**
 * What may come next on a line that asks for a runbook. It knows definitions only, so it needs nobody; what lives, such
 * as jobs, is handed in by whoever can look. Pure.
 */
import type { Runbook } from "./define.js";
import { describePrompt, type Prompt, type PromptForm, promptsOf } from "./prompts.js";
import type { RegisteredRunbook, RunbookRegistry } from "./registry.js";
import { checkParameter } from "./request.js";

export interface Candidate {
  /** The whole word in place of the one that was begun. */
  readonly text: string;
  /** One line. */
  readonly description: string;
}

/** What only the running system knows. */
export interface LiveFacts {
  /** Jobs that somebody may mean now, the likeliest first. */
  readonly jobs: readonly Candidate[];
}

const NO_FACTS: LiveFacts = { jobs: [] };
const DURATIONS = ["10m", "30m", "1h", "4h", "24h"];
const UNITS: Readonly<Record<string, string>> = {
  s: "seconds",
  m: "minutes",
  h: "hours",
  d: "days",
};
/** What no shell takes apart; anything else would have to be quoted differently in each. */
const PLAIN = /^[\w./:=+@,-]+$/;

/** Of every runbook. */
const SWITCHES: readonly Candidate[] = [
  { text: "--dry-run", description: "only show what would happen" },
  { text: "--drill", description: "it counts as practice" },
];
const REASON: Candidate = { text: "--reason", description: "why it is asked for" };

/** @param words after `runbook run` or `/algobrain`; the last is the one that was begun, "" when none was */
export function completeRunbook(
  registry: RunbookRegistry,
  words: readonly string[],
  facts: LiveFacts = NO_FACTS,
): Candidate[] {
  const [name, ...rest] = words;
  if (rest.length === 0) return beginningWith(name ?? "", namesOf(registry));
  const entry = registry.find(name ?? "");
  return entry ? completeArguments(entry.runbook, rest, facts) : [];
}

/** What kind of value the word that was begun would be; null: none, or none that is known. */
export function formWanted(registry: RunbookRegistry, words: readonly string[]): PromptForm | null {
  const [name = "", ...rest] = words;
  const runbook = registry.find(name)?.runbook;
  if (!runbook || rest.length === 0) return null;
  const begun = rest.at(-1) ?? "";
  const { open, next } = readLine(runbook, rest.slice(0, -1));
  const [, inside] = /^(?:--)?([a-z]\w*)=/.exec(begun) ?? [];
  const wanted = open ?? inside ?? (begun.startsWith("-") ? null : next);
  return promptsOf(runbook).find((prompt) => prompt.name === wanted)?.form ?? null;
}

function completeArguments(
  runbook: Runbook,
  words: readonly string[],
  facts: LiveFacts,
): Candidate[] {
  const begun = words.at(-1) ?? "";
  const line = readLine(runbook, words.slice(0, -1));
  if (line.open !== null) return valuesOf(runbook, line.open, begun, facts);
  const [, prefix = "", name = "", value = ""] = /^((?:--)?([a-z]\w*)=)(.*)$/s.exec(begun) ?? [];
  if (prefix !== "" && isFree(line, name)) {
    const values = valuesOf(runbook, name, value, facts);
    return values.map((one) => ({ ...one, text: `${prefix}${one.text}` }));
  }
  const options = beginningWith(begun, optionsOf(runbook, line));
  if (begun.startsWith("-") || line.next === null) return options;
  return [...valuesOf(runbook, line.next, begun, facts), ...options];
}

/** What stands before the word that was begun. */
interface Line {
  readonly given: ReadonlySet<string>;
  /** The option that still waits for its value; null: none does. */
  readonly open: string | null;
  /** The parameter that a word without a name would be; null: none. */
  readonly next: string | null;
}

/** In the grammar of `readArguments`, but also where the line is not whole yet. */
function readLine(runbook: Runbook, words: readonly string[]): Line {
  const given = new Set<string>();
  let open: string | null = null;
  let unnamed = 0;
  for (const word of words) {
    const [, dashes = "", name = "", equals = ""] = /^(--)?([a-z][\w-]*)(=)?/.exec(word) ?? [];
    const isNamed = equals !== "" && (dashes !== "" || isParameter(runbook, name));
    if (open !== null) open = null;
    else if (isSwitch(word)) given.add(word);
    else if (isNamed) given.add(name);
    else if (dashes !== "") {
      given.add(name);
      open = name;
    } else unnamed++;
  }
  const free = runbook.positional.filter((name) => !given.has(name));
  for (const name of free.slice(0, unnamed)) given.add(name);
  return { given, open, next: free[unnamed] ?? null };
}

function isSwitch(word: string): boolean {
  return SWITCHES.some(({ text }) => text === word);
}

function isParameter(runbook: Runbook, name: string): boolean {
  return name === "reason" || Object.hasOwn(runbook.params.properties, name);
}

function isFree(line: Line, name: string): boolean {
  return !line.given.has(name);
}

function namesOf(registry: RunbookRegistry): Candidate[] {
  return registry.list().flatMap(namesOfOne);
}

function namesOfOne({ runbook: { name, aliases, title } }: RegisteredRunbook): Candidate[] {
  const short = aliases.map((text) => ({ text, description: `${name}: ${title}` }));
  return [{ text: name, description: title }, ...short];
}

function optionsOf(runbook: Runbook, line: Line): Candidate[] {
  const parameters = promptsOf(runbook).map((prompt) => ({
    text: `--${prompt.name}`,
    description: `${describePrompt(prompt)}${prompt.isNeeded ? " (needed)" : ""}`,
  }));
  const isOwn = parameters.some(({ text }) => text === REASON.text);
  const all = [...parameters, ...(isOwn ? [] : [REASON]), ...SWITCHES];
  return all.filter(({ text }) => isFree(line, text) && isFree(line, text.slice(2)));
}

function valuesOf(runbook: Runbook, name: string, begun: string, facts: LiveFacts): Candidate[] {
  const prompt = promptsOf(runbook).find((one) => one.name === name);
  if (prompt === undefined || prompt.isSecret) return [];
  const fitting = suggestionsFor(prompt, begun, facts).filter(
    ({ text }) => PLAIN.test(text) && checkParameter(runbook, name, text).length === 0,
  );
  return beginningWith(begun, fitting);
}

function suggestionsFor(prompt: Prompt, begun: string, facts: LiveFacts): Candidate[] {
  const { preset, description } = prompt;
  const presets = preset === null ? [] : [{ text: String(preset), description: "the default" }];
  const others = (texts: readonly string[]) =>
    texts
      .filter((text) => text !== String(preset))
      .map((text) => ({ text, description: description || prompt.type }));
  switch (prompt.form) {
    case "choice":
    case "truth":
      return [...presets, ...others(prompt.choices)];
    case "duration":
      return /^\d+$/.test(begun) ? withUnits(begun) : [...presets, ...others(DURATIONS)];
    case "number":
      return [...presets, ...others(prompt.type.match(/-?\d+/g) ?? [])];
    case "job":
      return [...facts.jobs];
    case "text":
      return presets;
  }
}

/** `3` may become `3m`. */
function withUnits(count: string): Candidate[] {
  return Object.entries(UNITS).map(([unit, words]) => ({
    text: `${count}${unit}`,
    description: `${count} ${words}`,
  }));
}

function beginningWith(begun: string, candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ text }) => {
    const isNew = text.startsWith(begun) && !seen.has(text);
    seen.add(text);
    return isNew;
  });
}
