/** A line to copy, for whoever asked for a runbook wrongly: what was right stays, the rest is to be filled in. */
import { similarNames } from "../base/similar.js";
import type { TypedArguments } from "./arguments.js";
import type { Runbook } from "./define.js";
import { neededOf, promptsOf } from "./prompts.js";
import { checkParameter } from "./request.js";

/** Stands for what the person has to say: refused where it is sent as it is. */
export const BLANK = "…";

export interface ReadyLine {
  /** The runbook, then one word a value, as `readArguments` takes them. Each door quotes them in its way. */
  readonly words: readonly string[];
  /** Nothing is left to fill in. */
  readonly isWhole: boolean;
}

/** A wrong value becomes the one choice that is near, or a blank; what is missing is a blank. */
export function readyLine(runbook: Runbook, typed: TypedArguments): ReadyLine {
  const values = new Map<string, string | null>();
  for (const [name, text] of Object.entries(typed.params))
    values.set(name, corrected(runbook, name, text));
  for (const { name } of neededOf(runbook, typed.params)) values.set(name, null);
  const leading = leadingOf(runbook, values);
  const named = [...values].filter(([name]) => !leading.includes(name));
  return {
    words: [
      runbook.name,
      ...leading.map((name) => values.get(name) ?? ""),
      ...named.map(([name, text]) => `${name}=${text ?? blankOf(runbook, name)}`),
      ...besides(runbook, typed),
    ],
    isWhole: ![...values.values()].includes(null),
  };
}

/** Null: nothing that was typed can be made of it. */
function corrected(runbook: Runbook, name: string, text: string): string | null {
  if (checkParameter(runbook, name, text).length === 0) return text;
  const choices = promptsOf(runbook).find((prompt) => prompt.name === name)?.choices ?? [];
  const near = similarNames(text, choices);
  return near.length === 1 ? near[0]! : null;
}

/** Those that are understood without their names: up to the first that is open, or would be taken for another. */
function leadingOf(runbook: Runbook, values: ReadonlyMap<string, string | null>): string[] {
  const { positional } = runbook;
  const end = positional.findIndex((name) => {
    const text = values.get(name) ?? "";
    return text === "" || /^-|=/.test(text);
  });
  return positional.slice(0, end < 0 ? positional.length : end);
}

/** Nearly every parameter refuses the sign itself; a text that takes everything but nothing gets nothing. */
function blankOf(runbook: Runbook, name: string): string {
  return checkParameter(runbook, name, BLANK).length > 0 ? BLANK : "";
}

/** What belongs to every runbook. */
function besides(runbook: Runbook, { reason, dryRun, drill }: TypedArguments): string[] {
  const isParameter = Object.hasOwn(runbook.params.properties, "reason");
  return [
    ...(reason === undefined || isParameter ? [] : [`reason=${reason}`]),
    ...(dryRun ? ["--dry-run"] : []),
    ...(drill ? ["--drill"] : []),
  ];
}
