/** Disk and memory of this machine or container (HB-met-08, HB-met-09), as fractions 0–1. */
import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { availableMemory, constrainedMemory } from "node:process";
import { gauge, type SampleSource } from "./source.js";

/** `path` lies on the disk that holds our data. */
export function hostSource(path: string): SampleSource {
  return {
    name: "host",
    collect: async (now) => [
      ...gauge("algobrain.host.disk_used_ratio", await diskUsedRatio(path), now),
      ...gauge("algobrain.host.memory_used_ratio", memoryUsedRatio(), now),
    ],
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
