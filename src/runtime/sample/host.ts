/**
 * Disk, memory and processors of this machine or container (HB-met-08, HB-met-09, AM-op-10), as fractions 0–1.
 * Processors are the machine's: Node tells what all of them did, not which share of them a container may use.
 */
import { statfs } from "node:fs/promises";
import { type CpuInfo, cpus, totalmem } from "node:os";
import { availableMemory, constrainedMemory } from "node:process";
import { gauge, type SampleSource } from "./source.js";

/** `path` lies on the disk that holds our data. */
export function hostSource(path: string): SampleSource {
  let before = timeOf(cpus());
  return {
    name: "host",
    collect: async (now) => {
      const after = timeOf(cpus());
      const busy = busyShare(before, after);
      before = after;
      return [
        ...gauge("algobrain.host.disk_used_ratio", await diskUsedRatio(path), now),
        ...gauge("algobrain.host.memory_used_ratio", memoryUsedRatio(), now),
        ...gauge("algobrain.host.cpu_used_ratio", busy, now),
      ];
    },
  };
}

async function diskUsedRatio(path: string): Promise<number> {
  const { blocks, bfree, bavail } = await statfs(path);
  // Blocks kept for root are neither used nor free to us: the same figure as `df`.
  const used = blocks - bfree;
  return used / (used + bavail);
}

function memoryUsedRatio(): number {
  // Without a container limit this is 0 or larger than the machine.
  const limit = constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.min(Math.max(1 - availableMemory() / total, 0), 1);
}

/** Milliseconds since the machine started, of all processors together. */
export interface CpuTime {
  readonly idle: number;
  readonly all: number;
}

export function timeOf(processors: readonly Pick<CpuInfo, "times">[]): CpuTime {
  const times = processors.map((one) => one.times);
  return {
    idle: sum(times.map(({ idle }) => idle)),
    all: sum(times.map(({ user, nice, sys, idle, irq }) => user + nice + sys + idle + irq)),
  };
}

/** Of the time between two looks; null when none passed, or a processor was taken away meanwhile. */
export function busyShare(before: CpuTime, after: CpuTime): number | null {
  const all = after.all - before.all;
  const idle = after.idle - before.idle;
  return all > 0 && idle >= 0 && idle <= all ? 1 - idle / all : null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
