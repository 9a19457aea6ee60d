/**
 * Programs run through zx, with every default of it that is unsafe at 3 a.m. replaced: nothing of our
 * environment is inherited, stdin is closed, the child has its own process group that is really ended,
 * output is bounded and redacted by whole lines, and why it ended is known to us and not guessed.
 */
import type { ChildProcess } from "node:child_process";
import { homedir } from "node:os";
import type { Readable } from "node:stream";
import { $, type Options } from "zx/core";
import { type Fault, fault } from "../base/fault.js";
import type { Redact } from "../base/redact.js";
import type { Shell, ShellOptions, ShellResult } from "../runbook/port.js";
import { checkCommand } from "./command-check.js";
import { LineSplitter, TextKeeper } from "./line-text.js";
import { PipeReader } from "./pipe-reader.js";
import { endGroup } from "./process-group.js";
import { endMarked, MARK_VARIABLE, markOfProgram, type Reaped } from "./reap.js";
import { passGate, WAIT_AT_GATE } from "./start-gate.js";
import { ceilings } from "./ulimit.js";

export interface ShellSetup {
  readonly redact: Redact;
  /** PATH of every child. Default: the usual places of a Unix system. */
  readonly path?: string | undefined;
  /** A POSIX shell that starts each program. Default: /bin/sh. */
  readonly sh?: string | undefined;
  /** Names a process for good, over restarts of the machine (runtime/process-key). Default: nobody can. */
  readonly keyOf?: ((pid: number) => string | null) | undefined;
}

const PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const OUTPUT_MAX_BYTES = 1024 * 1024;
/** Of the error output of a program whose lines are streamed: enough for the sentence that says why. */
const STDERR_MAX_BYTES = 4 * 1024;
const GRACE_MS = 5_000;
export function createShell(setup: ShellSetup): Shell {
  return {
    run: (argv, options) => runProgram(setup, argv, options),
    lines: (argv, options) => streamLines(setup, argv, options),
  };
}

async function runProgram(
  setup: ShellSetup,
  argv: readonly string[],
  options: ShellOptions,
): Promise<ShellResult> {
  checkCommand(argv, options);
  const startedAt = performance.now();
  if (options.signal.aborted) return NEVER_STARTED;
  const program = await startProgram(setup, argv, options);
  const collect = async (reader: PipeReader, stream: "stdout" | "stderr") => {
    const kept = new TextKeeper(options.outputMaxBytes ?? OUTPUT_MAX_BYTES);
    for await (const line of readLines(reader, setup.redact)) {
      kept.add(line);
      options.onLine?.(line, stream);
    }
    return kept;
  };
  try {
    const [stdout, stderr, ending] = await Promise.all([
      collect(program.stdout, "stdout"),
      collect(program.stderr, "stderr"),
      program.ended,
    ]);
    return {
      ...ending,
      // Once more as a whole: a secret of several lines is no secret line by line.
      stdout: setup.redact(stdout.text),
      stderr: setup.redact(stderr.text),
      droppedBytes: stdout.droppedBytes + stderr.droppedBytes,
      durationMs: Math.round(performance.now() - startedAt),
    };
  } finally {
    await program.stop("abort");
  }
}

async function* streamLines(
  setup: ShellSetup,
  argv: readonly string[],
  options: ShellOptions,
): AsyncGenerator<string> {
  checkCommand(argv, options);
  if (options.signal.aborted) throw explain(argv, NEVER_STARTED);
  const program = await startProgram(setup, argv, options);
  const complaint = new TextKeeper(STDERR_MAX_BYTES);
  const drained = (async () => {
    for await (const line of readLines(program.stderr, setup.redact)) {
      complaint.add(line);
      options.onLine?.(line, "stderr");
    }
  })();
  try {
    yield* readLines(program.stdout, setup.redact);
    const [ending] = await Promise.all([program.ended, drained]);
    if (ending.endedBy !== "exit" || ending.exitCode !== 0)
      throw explain(argv, { ...ending, stderr: setup.redact(complaint.text) });
  } finally {
    // A consumer that walked away leaves no program behind.
    await program.stop("abort");
    await drained;
  }
}

async function* readLines(reader: PipeReader, redact: Redact): AsyncGenerator<string> {
  const splitter = new LineSplitter(redact);
  for await (const chunk of reader.chunks()) yield* splitter.push(chunk);
  yield* splitter.end();
}

type Ending = Pick<ShellResult, "exitCode" | "signal" | "endedBy" | "confirmedEmpty" | "strays">;

interface Program {
  readonly stdout: PipeReader;
  readonly stderr: PipeReader;
  /** Resolves when the program has exited and its process group is empty. */
  readonly ended: Promise<Ending>;
  /** Ends the whole group unless it has ended; resolves when it is gone. */
  stop(reason: "timeout" | "abort"): Promise<void>;
}

async function startProgram(
  setup: ShellSetup,
  argv: readonly string[],
  options: ShellOptions,
): Promise<Program> {
  const mark = markOf(setup, options);
  const running = $(zxOptions(setup, options, mark))`${[...argv]}`;
  // zx settles when the pipes close; what it says about it is of no use to us, but must be taken.
  const settled = running.then(
    (output) => output,
    (error: unknown) => error,
  );
  const { child } = running;
  if (child?.pid === undefined || !child.stdout || !child.stderr) {
    const reason = await settled;
    throw fault.transient("PROGRAM_NOT_STARTED", `could not start ${argv[0]}`, { cause: reason });
  }
  closeInput(child, options.input);
  const stdout = new PipeReader(takeOver(child.stdout));
  const stderr = new PipeReader(takeOver(child.stderr));
  const leash = superviseChild(child, child.pid, options, mark);
  const ended = leash.ended.then((ending) => {
    stdout.giveUpWhenSilent();
    stderr.giveUpWhenSilent();
    return ending;
  });
  if (options.onStarted) {
    const group = { pgid: child.pid, processKey: setup.keyOf?.(child.pid) ?? null };
    const begins = passGate(child, group, options.onStarted, options.signal);
    await begins.catch(async (error: unknown) => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      await leash.stop("abort");
      throw error;
    });
  }
  return { stdout, stderr, ended, stop: leash.stop };
}

function markOf({ keyOf }: ShellSetup, { mark }: ShellOptions): string | undefined {
  if (mark === undefined) return undefined;
  return markOfProgram({ run: mark, executorKey: keyOf?.(process.pid) ?? null });
}

/** Everything is set here, so ZX_* variables of the process that zx reads as defaults change nothing. */
function zxOptions(
  setup: ShellSetup,
  options: ShellOptions,
  mark: string | undefined,
): Partial<Options> {
  const input = options.input === undefined ? "ignore" : "pipe";
  return {
    shell: setup.sh ?? "/bin/sh",
    // The shell becomes the program: no shell is left between us and it.
    // Ceilings first: what follows the gate must not begin when the gate stays shut.
    prefix: `${ceilings(options.limits)}${options.onStarted ? WAIT_AT_GATE : ""}exec `,
    postfix: "",
    quote: quotePosix,
    cwd: options.cwd ?? process.cwd(),
    env: {
      PATH: setup.path ?? PATH_DEFAULT,
      HOME: homedir(),
      LANG: "C.UTF-8",
      // Without it, a bash behind /bin/sh may take us for a remote login and read ~/.bashrc.
      SHLVL: "1",
      ...options.env,
      ...(mark === undefined ? {} : { [MARK_VARIABLE]: mark }),
    },
    stdio: [input, "pipe", "pipe", ...(options.onStarted ? (["pipe"] as const) : [])],
    detached: true,
    preferLocal: false,
    nothrow: true,
    quiet: true,
    verbose: false,
    log: () => {},
    store: { stdout: NOTHING_KEPT, stderr: NOTHING_KEPT, stdall: NOTHING_KEPT },
    // zx's own timer and kill need `ps`, and die without it: ours are in superviseChild.
    kill: async () => {},
  };
}

/** zx would keep the whole output in memory. */
const NOTHING_KEPT = Object.assign([] as string[], { push: () => 0 });

/** zx pipes output through streams of its own that know no back-pressure: the pipe is ours alone. */
function takeOver(pipe: Readable): Readable {
  pipe.removeAllListeners("data");
  pipe.unpipe();
  return pipe;
}

function closeInput(child: ChildProcess, input: string | undefined): void {
  if (!child.stdin) return;
  // A program may exit without reading its input; that is its business (EPIPE).
  child.stdin.on("error", () => {});
  child.stdin.end(input);
}

/** Keeps the deadline, the caller's signal and the exit apart, and the first of them is the reason. */
function superviseChild(
  child: ChildProcess,
  groupId: number,
  options: ShellOptions,
  mark: string | undefined,
) {
  let endedBy: Ending["endedBy"] | undefined;
  let ending: Promise<Reaped> | undefined;
  const end = () => {
    ending ??= endAll(groupId, mark, options);
    return ending;
  };
  let giveUp = () => {};
  const stop = async (reason: "timeout" | "abort"): Promise<void> => {
    endedBy ??= reason;
    // Stuck in the kernel: nobody waits for it any longer, and the result says that it is still there.
    if (!(await end()).confirmedEmpty) giveUp();
  };
  const timer = setTimeout(() => void stop("timeout"), options.timeoutMs);
  const onAbort = () => void stop("abort");
  options.signal.addEventListener("abort", onAbort, { once: true });
  const exited = new Promise<Pick<Ending, "exitCode" | "signal">>((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    giveUp = () => resolve({ exitCode: null, signal: null });
  });
  const ended = exited.then(async (exit): Promise<Ending> => {
    endedBy ??= "exit";
    clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
    // What the program left running ends with it.
    const { confirmedEmpty, count } = await end();
    return { ...exit, endedBy, confirmedEmpty, strays: count };
  });
  return { ended, stop };
}

/** The group, then who left it. Counted are those who left. */
async function endAll(
  groupId: number,
  mark: string | undefined,
  { graceMs = GRACE_MS, endSignal }: Pick<ShellOptions, "graceMs" | "endSignal">,
): Promise<Reaped> {
  const isEmpty = await endGroup(groupId, graceMs, endSignal);
  if (mark === undefined) return { count: 0, confirmedEmpty: isEmpty };
  const strays = await endMarked(mark, graceMs);
  return { count: strays.count, confirmedEmpty: isEmpty && strays.confirmedEmpty };
}

/** Safe in every POSIX shell; zx's own quoting is an injection outside bash. */
function quotePosix(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

const NEVER_STARTED: ShellResult = {
  exitCode: null,
  signal: null,
  endedBy: "abort",
  stdout: "",
  stderr: "",
  droppedBytes: 0,
  durationMs: 0,
  confirmedEmpty: true,
  strays: 0,
};

function explain(argv: readonly string[], ended: Ending & { stderr?: string }): Fault {
  const program = argv[0];
  const details = { program: program ?? "", exitCode: ended.exitCode, endedBy: ended.endedBy };
  if (ended.endedBy === "timeout")
    return fault.transient("PROGRAM_TIMED_OUT", `${program} did not end in time`, { details });
  if (ended.endedBy === "abort")
    return fault.transient("PROGRAM_ABORTED", `${program} was told to end`, { details });
  const said = ended.stderr?.trim().slice(-500) ?? "";
  const how = ended.signal === null ? `with exit code ${ended.exitCode}` : `by ${ended.signal}`;
  return fault.transient("PROGRAM_FAILED", `${program} ended ${how}${said ? `: ${said}` : ""}`, {
    details,
  });
}
