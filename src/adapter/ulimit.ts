/** Ceilings that the kernel keeps for a program and all that it starts, as commands of the shell that becomes it. */
import type { ShellLimits } from "../runbook/port.js";

/** Units of POSIX `ulimit`: blocks of 512 bytes; memory, which POSIX does not know, is counted in kilobytes. */
const BLOCK_BYTES = 512;
const KB = 1024;

/** A system that cannot set one (macOS: memory), or may not, goes on without it. */
export function ceilings(limits: ShellLimits = {}): string {
  const { memoryBytes, fileBytes, cpuSeconds } = limits;
  return [
    lower("-v", memoryBytes, KB),
    lower("-f", fileBytes, BLOCK_BYTES),
    lower("-t", cpuSeconds, 1),
  ].join("");
}

function lower(flag: string, value: number | undefined, unit: number): string {
  return value === undefined ? "" : `ulimit ${flag} ${Math.ceil(value / unit)} 2>/dev/null || :; `;
}
