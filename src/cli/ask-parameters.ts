/** Asks the person at the terminal for what a runbook still needs, one parameter after the other. */
import { assert } from "../base/assert.js";
import type { TypedArguments } from "../runbook/arguments.js";
import type { Runbook } from "../runbook/define.js";
import { neededOf, type Prompt, promptsOf } from "../runbook/prompts.js";
import { checkParameter } from "../runbook/request.js";
import { UsageError } from "./arguments.js";
import type { Conversation, Terminal } from "./terminal.js";

/** Of one parameter: whoever does not find the answer by then reads first. */
const TRIES_MAX = 5;

/** True when something is missing, and nothing that was typed is wrong: that is told first, not asked again. */
export function isOnlyIncomplete(runbook: Runbook, { params }: TypedArguments): boolean {
  const wrong = Object.entries(params).some(
    ([name, text]) => checkParameter(runbook, name, text).length > 0,
  );
  return !wrong && neededOf(runbook, params).length > 0;
}

/**
 * With the answers, which the runbook's own schema has accepted; null when the person ended it, by Ctrl-C or Ctrl-D.
 * Throws a UsageError after five wrong answers to one question.
 */
export async function askParameters(
  runbook: Runbook,
  typed: TypedArguments,
  terminal: Terminal,
): Promise<TypedArguments | null> {
  const conversation = terminal.open();
  try {
    conversation.say(`${runbook.name}: ${runbook.title}`);
    const params = { ...typed.params };
    for (const prompt of neededOf(runbook, params)) {
      const answer = await askOne(runbook, prompt, conversation);
      if (answer === null) return null;
      params[prompt.name] = answer;
    }
    for (const line of describePresets(runbook, params)) conversation.say(line);
    return { ...typed, params, reason: params.reason ?? typed.reason };
  } finally {
    conversation.close();
  }
}

async function askOne(
  runbook: Runbook,
  prompt: Prompt,
  conversation: Conversation,
): Promise<string | null> {
  const { name, choices } = prompt;
  // What is typed here is seen by whoever stands behind, and stays in the record of the run.
  assert(!prompt.isSecret, `${runbook.name} asks for no secret, and ${name} looks like one`);
  for (const line of describeQuestion(prompt)) conversation.say(line);
  let problems: readonly string[] = [];
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const answer = await conversation.ask(`${name}: `, choices);
    if (answer === null) return null;
    problems = checkParameter(runbook, name, answer);
    if (problems.length === 0) return answer;
    for (const problem of problems) conversation.say(problem);
  }
  throw new UsageError(`nothing was run: ${problems.join("; ")}`);
}

/** Its own words, and the choices on a line of their own. */
function describeQuestion({ description, type, choices }: Prompt): string[] {
  if (description === "") return [type];
  return choices.length === 0 ? [description] : [description, `  ${type}`];
}

/** What nobody was asked for, since something holds without. */
function describePresets(runbook: Runbook, given: TypedArguments["params"]): string[] {
  const rest = promptsOf(runbook, given).filter(({ preset }) => preset !== null);
  if (rest.length === 0) return [];
  const words = rest.map(({ name, preset }) => `--${name} ${JSON.stringify(preset)}`);
  return [`not asked for, as this holds without: ${words.join(", ")}`];
}
