/** A person at a terminal who has made up their mind: gives these answers in turn, then ends the conversation. */
import type { Terminal } from "../../src/cli/terminal.js";

export function makeTerminal(...answers: readonly string[]) {
  const said: string[] = [];
  const offered: (readonly string[])[] = [];
  const left = [...answers];
  const conversations = { open: 0, closed: 0 };
  const terminal: Terminal = {
    open: () => {
      conversations.open++;
      return {
        say: (line) => said.push(line),
        ask: async (question, choices = []) => {
          said.push(question);
          offered.push(choices);
          return left.shift() ?? null;
        },
        close: () => {
          conversations.closed++;
        },
      };
    },
  };
  return { terminal, said, offered, conversations };
}
