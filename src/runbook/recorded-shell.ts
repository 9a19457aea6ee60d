/**
 * The shell as a runbook gets it, and as what works for it does: every command with its output goes into the step's
 * record, and every process group into the run's, before it begins. The reading one knows a closed list of programs
 * that change nothing, the writing one besides what the runbook says it touches.
 */
import { fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import type { Runbook, WritingShell } from "./define.js";
import type { ProcessGroupRef, Programs, Shell, ShellOptions, ShellResult } from "./port.js";
import type { Run, StepKey } from "./run.js";
import type { Transcript } from "./transcript.js";

/** Programs that only tell. None takes a program to run, a file to write or an address to call. */
const READING_PROGRAMS: readonly string[] = ["df", "free", "hostname", "nproc", "uname", "uptime"];
/** A program that only tells has no reason to take longer. */
const READ_TIMEOUT_MS = 10_000;
const RUN_TIMEOUT_MS = 60_000;
/** Below the time that a stopped handler gets, so that the record still says how the program ended. */
const GRACE_MS = 1_000;

/** Where the process groups of a run are written down. */
export interface ProcessRecord {
  /** Before the program begins: when it rejects, the program never does. */
  processStarted(step: StepKey, program: string, group: ProcessGroupRef): Promise<void>;
  processEnded(group: ProcessGroupRef, endedBy: ShellResult["endedBy"]): Promise<void>;
}

export interface ShellGround {
  readonly run: Run;
  readonly runbook: Runbook;
  readonly shell: Shell;
  readonly recorder: ProcessRecord;
  readonly signal: AbortSignal;
}

export function recordedShell(
  execution: ShellGround,
  step: StepKey,
  transcript: Transcript,
): WritingShell {
  const { signal } = execution;
  const run = (argv: readonly string[], timeoutMs: number) =>
    runRecorded(execution, step, transcript, argv, { signal, timeoutMs });
  return {
    run: async (argv, options) => {
      const program = argv[0] ?? "";
      if (!READING_PROGRAMS.includes(program)) checkDeclared(execution.runbook, program);
      return run(argv, options?.timeoutMs ?? RUN_TIMEOUT_MS);
    },
    read: async (argv, options) => {
      if (!READING_PROGRAMS.includes(argv[0] ?? ""))
        throw fault.data("SHELL_NOT_READING", `"${argv[0]}" is not known to change nothing`, {
          hint: `for reading there are ${READING_PROGRAMS.join(", ")}`,
        });
      return run(argv, options?.timeoutMs ?? READ_TIMEOUT_MS);
    },
  };
}

/**
 * For what a step asks of others, such as a backup: they may hand the program an environment (a password), which is
 * not recorded, and what they start is found after a crash all the same.
 */
export function recordedPrograms(
  execution: ShellGround,
  step: StepKey,
  transcript: Transcript,
): Programs {
  return {
    run: async (argv, options) => {
      checkDeclared(execution.runbook, argv[0] ?? "");
      return runRecorded(execution, step, transcript, argv, options);
    },
  };
}

function checkDeclared({ name, touches }: Runbook, program: string): void {
  if (touches.programs?.includes(program)) return;
  throw fault.data("SHELL_NOT_DECLARED", `"${program}" is not among what it touches`, {
    hint: `name it in touches.programs of the runbook ${name}, where reviewers see it`,
  });
}

async function runRecorded(
  { run, shell, recorder }: ShellGround,
  step: StepKey,
  transcript: Transcript,
  argv: readonly string[],
  options: Pick<ShellOptions, "signal" | "timeoutMs" | "env">,
): Promise<ShellResult> {
  transcript.add(`$ ${argv.join(" ")}`, "cmd");
  let group: ProcessGroupRef | null = null;
  const result = await shell.run(argv, {
    ...{ ...options, graceMs: GRACE_MS, mark: `${run.id}/${run.fence}` },
    untrusted: textsIn(run.params),
    onLine: (line, stream) => transcript.add(line, stream === "stdout" ? "out" : "err"),
    onStarted: async (begun) => {
      group = begun;
      await recorder.processStarted(step, argv[0] ?? "", begun);
    },
  });
  transcript.endedBy = result.endedBy;
  // What is not known to have ended stays on record as running, so that it is looked for.
  if (group !== null && result.confirmedEmpty !== false)
    await recorder.processEnded(group, result.endedBy);
  transcript.add(describeEnding(result));
  return result;
}

/** What people typed, wherever it stands in the parameters. */
function textsIn(value: Json): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function describeEnding(result: ShellResult): string {
  const { droppedBytes, strays = 0, confirmedEmpty } = result;
  const facts = [
    howItEnded(result),
    ...(droppedBytes > 0 ? [`${droppedBytes} bytes not kept`] : []),
    ...(strays > 0 ? [`${strays} that had left its group were ended`] : []),
    ...(confirmedEmpty === false ? ["NOT known to have ended: look for it"] : []),
  ];
  return `(${facts.join(", ")})`;
}

function howItEnded({ endedBy, exitCode, signal, durationMs }: ShellResult): string {
  if (endedBy === "timeout") return `ended by its deadline after ${durationMs} ms`;
  if (endedBy === "abort") return "ended because the run was stopped";
  const how = signal === null ? `exit ${exitCode}` : `ended by ${signal}`;
  return `${how} after ${durationMs} ms`;
}
