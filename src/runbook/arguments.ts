/** Words that a person typed become parameters: `job-123 it was the network`, `kind=index`, `--for 30m`, `--reason "…"`. */
import { didYouMean } from "../base/similar.js";
import type { Runbook } from "./define.js";

export interface TypedArguments {
  readonly params: Readonly<Record<string, string>>;
  /** Only plan it. */
  readonly dryRun: boolean;
  /** It counts as practice. */
  readonly drill: boolean;
  /** Why it is asked for: of every runbook, also of those without such a parameter. */
  readonly reason: string | undefined;
}

export type ReadArguments =
  | { readonly ok: true; readonly value: TypedArguments }
  | {
      readonly ok: false;
      readonly problems: readonly string[];
      /** What could be read of it all the same. */
      readonly read: TypedArguments;
    };

/** `kind=index`, `--per_minute=50`. */
const NAMED = /^(?:--)?([a-z]\w*)=(.*)$/s;

interface Reading {
  readonly params: Record<string, string>;
  readonly positional: string[];
  readonly problems: string[];
  reason: string | undefined;
  dryRun: boolean;
  drill: boolean;
}

export function readArguments(runbook: Runbook, words: readonly string[]): ReadArguments {
  const reading: Reading = {
    ...{ params: {}, positional: [], problems: [] },
    ...{ reason: undefined, dryRun: false, drill: false },
  };
  for (let at = 0; at < words.length; at++) at += readWord(runbook, reading, words, at);
  placePositional(runbook, reading);
  const { params, dryRun, drill, problems } = reading;
  const read = { params, dryRun, drill, reason: params.reason ?? reading.reason };
  return problems.length > 0 ? { ok: false, problems, read } : { ok: true, value: read };
}

/** Returns how many words after this one it took. */
function readWord(
  runbook: Runbook,
  reading: Reading,
  words: readonly string[],
  at: number,
): number {
  const word = words[at]!;
  if (word === "--dry-run" || word === "--drill") {
    if (word === "--drill") reading.drill = true;
    else reading.dryRun = true;
    return 0;
  }
  const named = NAMED.exec(word);
  if (named && (word.startsWith("--") || isNamed(runbook, named[1]!))) {
    setNamed(runbook, reading, named[1]!, named[2]!);
    return 0;
  }
  if (/^--[a-z]/.test(word)) {
    const value = words[at + 1];
    if (value === undefined) reading.problems.push(`${word} needs a value after it`);
    else setNamed(runbook, reading, word.slice(2), value);
    return 1;
  }
  reading.positional.push(word);
  return 0;
}

function isParameter(runbook: Runbook, name: string): boolean {
  return Object.hasOwn(runbook.params.properties, name);
}

function isNamed(runbook: Runbook, name: string): boolean {
  return name === "reason" || isParameter(runbook, name);
}

function setNamed(runbook: Runbook, reading: Reading, name: string, value: string): void {
  if (!isNamed(runbook, name)) {
    const known = Object.keys(runbook.params.properties);
    const hint = didYouMean(name, [...known, "reason"]);
    reading.problems.push(
      `${runbook.name} has no parameter "${name}"${hint ? `, ${hint}` : `; it has: ${known.join(", ") || "none"}`}`,
    );
  } else if (!isParameter(runbook, name)) {
    if (reading.reason !== undefined) reading.problems.push(`the reason is given twice`);
    reading.reason = value;
  } else if (Object.hasOwn(reading.params, name)) {
    reading.problems.push(`parameter "${name}" is given twice`);
  } else {
    reading.params[name] = value;
  }
}

function placePositional(runbook: Runbook, reading: Reading): void {
  const free = runbook.positional.filter((name) => !Object.hasOwn(reading.params, name));
  const { positional } = reading;
  if (positional.length > 0 && free.length === 0) {
    reading.problems.push(`found "${positional[0]}" where nothing more was expected`);
    return;
  }
  for (const [at, name] of free.entries()) {
    if (at >= positional.length) return;
    const isLast = at === free.length - 1;
    reading.params[name] = isLast ? positional.slice(at).join(" ") : positional[at]!;
  }
}
