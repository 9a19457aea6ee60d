/**
 * A program begins only after its start is on record: a child that nobody wrote down could not be found after
 * a crash. The shell that becomes the program first waits for a line on a pipe of ours; when we die before we
 * write it, the pipe closes and the program has never begun.
 */
import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import type { ProcessGroupRef } from "../runbook/port.js";

/** The fourth of the child's pipes. */
const GATE_FD = 3;

/** In front of the command, for every POSIX shell. */
export const WAIT_AT_GATE = `IFS= read -r _ <&${GATE_FD} && exec ${GATE_FD}<&- && `;

/**
 * Opens the gate when `onStarted` has resolved. Throws what it throws; then the gate stays shut. False when the
 * signal was aborted meanwhile: nothing begins then either.
 */
export async function passGate(
  child: ChildProcess,
  group: ProcessGroupRef,
  onStarted: (group: ProcessGroupRef) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  const gate = child.stdio[GATE_FD] as Writable;
  // The child may be gone before we write: then there is nobody to let in.
  gate.on("error", () => {});
  try {
    await onStarted(group);
    if (signal.aborted) return false;
    gate.end("\n");
    return true;
  } finally {
    if (!gate.writableEnded) gate.destroy();
  }
}
