/** A person at a terminal, who can be asked. */
import { stdin, stdout } from "node:process";
import { createInterface } from "node:readline";

export interface Terminal {
  /** Opens a conversation: what is typed ahead waits for the question that it answers. */
  open(): Conversation;
}

export interface Conversation {
  say(line: string): void;
  /** The answer without white space around it; null: it was ended by Ctrl-C, Ctrl-D, or the terminal is gone. */
  ask(question: string, choices?: readonly string[]): Promise<string | null>;
  close(): void;
}

/** Null where nobody could answer: a pipe, a file, or a machine that builds. */
export function findTerminal(env: Readonly<Record<string, string | undefined>>): Terminal | null {
  const isPerson = stdin.isTTY === true && stdout.isTTY === true && (env.CI ?? "") === "";
  return isPerson ? { open: openConversation } : null;
}

function openConversation(): Conversation {
  let choices: readonly string[] = [];
  const lines = createInterface({
    ...{ input: stdin, output: stdout, terminal: true, historySize: 0 },
    completer: (begun: string) => [choices.filter((one) => one.startsWith(begun)), begun],
  });
  const answers = new AnswerQueue();
  lines.on("line", (line) => answers.give(line.trim()));
  lines.on("SIGINT", () => lines.close());
  lines.on("close", () => answers.end());
  return {
    say: (line) => stdout.write(`${line}\n`),
    ask: (question, offered = []) => {
      choices = offered;
      lines.setPrompt(question);
      if (!answers.isEnded) lines.prompt();
      return answers.take();
    },
    close: () => {
      lines.close();
      // The cursor stands behind the question that was left open.
      if (answers.wasLeftOpen) stdout.write("\n");
    },
  };
}

/** Lines come when they are typed, and questions when they are asked. */
class AnswerQueue {
  readonly #given: string[] = [];
  #waiting: ((answer: string | null) => void) | null = null;
  isEnded = false;
  wasLeftOpen = false;

  give(answer: string): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting) waiting(answer);
    else this.#given.push(answer);
  }

  end(): void {
    this.isEnded = true;
    this.wasLeftOpen = this.#waiting !== null;
    this.#waiting?.(null);
    this.#waiting = null;
  }

  take(): Promise<string | null> {
    const next = this.#given.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.isEnded) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}
