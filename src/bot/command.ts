/** The grammar of `/algobrain …`: text becomes a command, help, or a clear word on what was wrong. Pure. */

import { readArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { checkRequest } from "../runbook/request.js";
import { splitWords } from "./words.js";

export type Command =
  | { readonly kind: "help"; readonly runbook: Runbook | null }
  | {
      readonly kind: "run";
      readonly runbook: string;
      readonly params: Readonly<Record<string, string>>;
      readonly dryRun: boolean;
    }
  /** Nothing by that name. */
  | { readonly kind: "unknown"; readonly typed: string; readonly hint: string | undefined }
  /** A runbook, but asked wrongly. */
  | { readonly kind: "wrong"; readonly runbook: Runbook; readonly problems: readonly string[] }
  | { readonly kind: "unreadable"; readonly problem: string };

/** Slack's own limit is higher; nobody types more. */
const TEXT_MAX = 3_000;
const HELP_WORDS: readonly string[] = ["help", "?", "-h", "--help", "list", "commands"];

export function readCommand(registry: RunbookRegistry, text: string): Command {
  if (text.length > TEXT_MAX)
    return {
      kind: "unreadable",
      problem: `found ${text.length} characters, expected up to ${TEXT_MAX}`,
    };
  const split = splitWords(unescapeSlack(text));
  if (!split.ok) return { kind: "unreadable", problem: split.problem };
  const [first, ...rest] = split.words;
  if (first === undefined || HELP_WORDS.includes(first.toLowerCase()))
    return readHelp(registry, rest[0]);
  const entry = registry.find(first.toLowerCase());
  if (!entry) return { kind: "unknown", typed: first, hint: registry.hintFor(first) };
  return readRun(registry, entry.runbook, rest);
}

function readHelp(registry: RunbookRegistry, topic: string | undefined): Command {
  if (topic === undefined) return { kind: "help", runbook: null };
  const entry = registry.find(topic.toLowerCase());
  if (!entry) return { kind: "unknown", typed: topic, hint: registry.hintFor(topic) };
  return { kind: "help", runbook: entry.runbook };
}

function readRun(registry: RunbookRegistry, runbook: Runbook, words: readonly string[]): Command {
  if (words.length === 1 && HELP_WORDS.includes(words[0]!)) return { kind: "help", runbook };
  const read = readArguments(runbook, words);
  if (!read.ok) return { kind: "wrong", runbook, problems: read.problems };
  const { params, dryRun } = read.value;
  const checked = checkRequest(registry, { runbook: runbook.name, params });
  if (!checked.ok) return { kind: "wrong", runbook, problems: checked.problems };
  return { kind: "run", runbook: runbook.name, params, dryRun };
}

/** Slack writes these three characters of a message as entities; nothing else. */
function unescapeSlack(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
