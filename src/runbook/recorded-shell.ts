/**
 * The shell as a runbook gets it: every command with its output goes into the step's record. The reading
 * one knows a closed list of programs that change nothing, so a plan cannot write by accident.
 */
import { fault } from "../base/fault.js";
import type { WritingShell } from "./define.js";
import type { Shell, ShellResult } from "./port.js";
import type { Transcript } from "./transcript.js";

/** Programs that only tell. None takes a program to run, a file to write or an address to call. */
const READING_PROGRAMS: readonly string[] = ["df", "free", "hostname", "nproc", "uname", "uptime"];
/** A program that only tells has no reason to take longer. */
const READ_TIMEOUT_MS = 10_000;
const RUN_TIMEOUT_MS = 60_000;
/** Below the time that a stopped handler gets, so that the record still says how the program ended. */
const GRACE_MS = 1_000;

export function recordedShell(
  shell: Shell,
  transcript: Transcript,
  signal: AbortSignal,
): WritingShell {
  const run = async (argv: readonly string[], timeoutMs: number): Promise<ShellResult> => {
    transcript.add(`$ ${argv.join(" ")}`);
    const onLine = (line: string) => transcript.add(line);
    const result = await shell.run(argv, { signal, timeoutMs, graceMs: GRACE_MS, onLine });
    transcript.add(describeEnding(result));
    return result;
  };
  return {
    run: (argv, options) => run(argv, options?.timeoutMs ?? RUN_TIMEOUT_MS),
    read: async (argv, options) => {
      if (!READING_PROGRAMS.includes(argv[0] ?? ""))
        throw fault.data("SHELL_NOT_READING", `"${argv[0]}" is not known to change nothing`, {
          hint: `for reading there are ${READING_PROGRAMS.join(", ")}`,
        });
      return run(argv, options?.timeoutMs ?? READ_TIMEOUT_MS);
    },
  };
}

function describeEnding(result: ShellResult): string {
  if (result.endedBy === "timeout") return `(ended by its deadline after ${result.durationMs} ms)`;
  if (result.endedBy === "abort") return `(ended because the run was stopped)`;
  const how = result.signal === null ? `exit ${result.exitCode}` : `ended by ${result.signal}`;
  const dropped = result.droppedBytes > 0 ? `, ${result.droppedBytes} bytes not kept` : "";
  return `(${how} after ${result.durationMs} ms${dropped})`;
}
