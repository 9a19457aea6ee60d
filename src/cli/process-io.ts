/** The terminal, or the pipes, that the bin was started with. */
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandIo } from "./command.js";
import { findTerminal } from "./terminal.js";

const CLEAR_LINE = "\r\u001b[2K";

export function processIo(env: CommandIo["env"]): CommandIo {
  // A reader that has left (`| head`) wants no more; the work itself goes on.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  const isTerminal = process.stderr.isTTY === true;
  let drawn = false;
  const clear = () => {
    if (drawn) process.stderr.write(CLEAR_LINE);
    drawn = false;
  };
  return {
    out: (line) => {
      clear();
      process.stdout.write(`${line}\n`);
    },
    err: (line) => {
      clear();
      process.stderr.write(`${line}\n`);
    },
    progress: (line) => {
      clear();
      process.stderr.write(isTerminal ? line : `${line}\n`);
      drawn = isTerminal;
    },
    env,
    packageRoot: packageRoot(),
    cwd: process.cwd(),
    actor: `cli:${userName()}`,
    terminal: findTerminal(env),
  };
}

/** From `src/cli` under a loader, from `dist/src/cli` otherwise. */
function packageRoot(): string {
  const parent = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
  return parent.endsWith("dist") ? resolve(parent, "..") : parent;
}

/** A user id without a name is normal in containers. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
