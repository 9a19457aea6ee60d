/** One child process with a channel to us: it dies with us, and we learn who it is and when it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { assert } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import type { Lender, Loan } from "./lender.js";
import { isCredentialsAsked } from "./lent-credentials.js";
import { isWorkerRegistered } from "./parent-link.js";

export interface ChildProgram {
  /** For people and logs; one process at a time has it. */
  readonly name: string;
  /** Program and arguments. Secrets go through the environment. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** File descriptor that takes its log lines; by default they are ours. */
  readonly log?: number | undefined;
  /** Told what it may use once it is registered, and again before that ends. */
  readonly lender?: Lender | undefined;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Child {
  readonly name: string;
  /** 0 when the program could not be started. */
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  /** The worker that runs in it, once it said so. */
  workerId(): string | null;
  /** TERM, then KILL after `graceMs`. */
  end(graceMs: number): Promise<void>;
}

export function startChild(program: ChildProgram, clock: Clock): Child {
  const [command, ...args] = program.argv;
  const spawned = spawn(command, args, {
    env: program.env as NodeJS.ProcessEnv,
    // Log lines of a child are log lines of the service.
    stdio: ["ignore", "inherit", program.log ?? "inherit", "ipc"],
  });
  let workerId: string | null = null;
  let loan: Loan | null = null;
  spawned.on("message", (message) => {
    if (isWorkerRegistered(message)) {
      workerId = message.workerId;
      loan ??= lendTo(spawned, program.lender);
    } else if (isCredentialsAsked(message)) loan?.ask();
  });
  const exited = exitOf(spawned);
  void exited.then(() => loan?.end());
  return {
    name: program.name,
    pid: spawned.pid ?? 0,
    exited,
    workerId: () => workerId,
    end: (graceMs) => end(spawned, exited, graceMs, clock),
  };
}

function lendTo(child: ChildProcess, lender: Lender | undefined): Loan | null {
  if (lender === undefined) return null;
  return lender.serve((message) => {
    // One that ends hears nothing, and needs nothing.
    if (child.connected) child.send(message, () => {});
  });
}

function exitOf(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    // A program that cannot start emits no exit.
    child.once("error", () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
}

async function end(
  child: ChildProcess,
  exited: Promise<ChildExit>,
  graceMs: number,
  clock: Clock,
): Promise<void> {
  assert(graceMs >= 0, "a grace is not negative");
  child.kill("SIGTERM");
  const gone = new AbortController();
  const killed = clock.sleep(graceMs, gone.signal).then(() => {
    if (!gone.signal.aborted) child.kill("SIGKILL");
  });
  await exited;
  gone.abort();
  await killed;
}
