/** The grammar of `/algobrain …`: text becomes a command, help, or a clear word on what was wrong. Pure. */
import { similarNames } from "../base/similar.js";
import { readArguments, type TypedArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { checkRequest } from "../runbook/request.js";
import { splitWords } from "./words.js";

/** What is done to a run that is there. */
export const RUN_ORDERS = ["approve", "deny", "cancel", "undo"] as const;
export type RunOrder = (typeof RUN_ORDERS)[number];

export type Command =
  | { readonly kind: "help"; readonly runbook: Runbook | null }
  | {
      readonly kind: "run";
      readonly runbook: string;
      readonly params: Readonly<Record<string, string>>;
      readonly dryRun: boolean;
      readonly drill: boolean;
      readonly reason: string | undefined;
    }
  | {
      readonly kind: "order";
      readonly order: RunOrder;
      readonly runId: string;
      readonly reason: string | undefined;
    }
  /** The stop switch. */
  | { readonly kind: "stop" | "resume-runbooks"; readonly reason: string | undefined }
  /** A line of an incident's timeline; without a number that of the only open one. */
  | { readonly kind: "note"; readonly number: string | null; readonly text: string }
  /** What is there: the newest runs, one of them, what is held. */
  | { readonly kind: "look"; readonly at: "runs" | "locks" | "run"; readonly runId: string | null }
  /** Nothing by that name; `near` are known words that it may have been meant for, `rest` is what followed it. */
  | {
      readonly kind: "unknown";
      readonly typed: string;
      readonly near: readonly string[];
      readonly rest: readonly string[];
    }
  /** A runbook, but asked wrongly; `read` is what could be understood. */
  | {
      readonly kind: "wrong";
      readonly runbook: Runbook;
      readonly problems: readonly string[];
      readonly read: TypedArguments;
    }
  | { readonly kind: "unreadable"; readonly problem: string };

/** Slack's own limit is higher; nobody types more. */
const TEXT_MAX = 3_000;
const HELP_WORDS: readonly string[] = ["help", "?", "-h", "--help", "list", "commands"];
const VERBS: readonly string[] = [
  ...RUN_ORDERS,
  "stop",
  "resume-runbooks",
  "runs",
  "locks",
  "note",
  "help",
];
const INCIDENT = /^INC-\d{4}-\d{2}-\d{2}-\d{3,9}$/;
const RUN_ID = /^run-[1-9][0-9]{0,14}$/;

export function readCommand(registry: RunbookRegistry, text: string): Command {
  if (text.length > TEXT_MAX)
    return unreadable(`found ${text.length} characters, expected up to ${TEXT_MAX}`);
  const split = splitWords(unescapeSlack(text));
  if (!split.ok) return unreadable(split.problem);
  const [first, ...rest] = split.words;
  if (first === undefined || HELP_WORDS.includes(first.toLowerCase()))
    return readHelp(registry, rest[0]);
  const word = first.toLowerCase();
  const verb = readVerb(word, rest);
  if (verb) return verb;
  const entry = registry.find(word);
  if (!entry) return unknown(first, [...wordsOf(registry), ...VERBS], rest);
  return readRun(registry, entry.runbook, rest);
}

function unknown(typed: string, known: Iterable<string>, rest: readonly string[]): Command {
  return { kind: "unknown", typed, near: similarNames(typed, known), rest };
}

/** Every name and short form. */
function wordsOf(registry: RunbookRegistry): string[] {
  return registry.list().flatMap(({ runbook: { name, aliases } }) => [name, ...aliases]);
}

const unreadable = (problem: string): Command => ({ kind: "unreadable", problem });

function readHelp(registry: RunbookRegistry, topic: string | undefined): Command {
  if (topic === undefined) return { kind: "help", runbook: null };
  const entry = registry.find(topic.toLowerCase());
  if (!entry) return unknown(topic, wordsOf(registry), ["--help"]);
  return { kind: "help", runbook: entry.runbook };
}

/** Null: it is no word of this door. */
function readVerb(word: string, rest: readonly string[]): Command | null {
  const order = RUN_ORDERS.find((it) => it === word);
  if (order) return readOrder(order, rest);
  if (word === "stop" || word === "resume-runbooks") return { kind: word, reason: reasonOf(rest) };
  if (word === "runs" || word === "locks") {
    if (rest.length > 0) return unreadable(`found "${rest[0]}" after ${word}, expected nothing`);
    return { kind: "look", at: word, runId: null };
  }
  if (word === "note") return readNote(rest);
  if (RUN_ID.test(word)) return { kind: "look", at: "run", runId: word };
  return null;
}

function readOrder(order: RunOrder, rest: readonly string[]): Command {
  const [runId, ...words] = rest;
  if (runId === undefined || !RUN_ID.test(runId.toLowerCase())) {
    const found = runId === undefined ? "nothing" : `"${runId.slice(0, 60)}"`;
    return unreadable(`${order}: found ${found}, expected a run such as run-17`);
  }
  return { kind: "order", order, runId: runId.toLowerCase(), reason: reasonOf(words) };
}

function readNote(rest: readonly string[]): Command {
  const first = rest[0]?.toUpperCase() ?? "";
  const number = INCIDENT.test(first) ? first : null;
  const text = rest.slice(number === null ? 0 : 1).join(" ");
  if (text !== "") return { kind: "note", number, text };
  return unreadable("note: found nothing to write down, expected what was seen or done");
}

/** `--reason "…"`, `reason=…`, or just the words. */
function reasonOf(words: readonly string[]): string | undefined {
  const text = words
    .join(" ")
    .replace(/^(--reason[ =]|reason=)/, "")
    .trim();
  return text === "" ? undefined : text;
}

function readRun(registry: RunbookRegistry, runbook: Runbook, words: readonly string[]): Command {
  if (words.length === 1 && HELP_WORDS.includes(words[0]!)) return { kind: "help", runbook };
  const read = readArguments(runbook, words);
  if (!read.ok) return { kind: "wrong", runbook, problems: read.problems, read: read.read };
  const { params, ...how } = read.value;
  const checked = checkRequest(registry, { runbook: runbook.name, params });
  if (!checked.ok) return { kind: "wrong", runbook, problems: checked.problems, read: read.value };
  return { kind: "run", runbook: runbook.name, params, ...how };
}

/** Slack writes these three characters of a message as entities; nothing else. */
function unescapeSlack(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
