/**
 * What a main process of ours takes of its machine. The delay of its event loop is felt by one short sleep a round: a
 * timer that always runs would cost an idle process more than everything else (runtime/metrics).
 */
import { cpus } from "node:os";
import { cpuUsage, memoryUsage } from "node:process";
import type { Clock } from "../../base/clock.js";
import { gauge, type SampleSource } from "./source.js";

export interface ProcessSourceOptions {
  readonly role: string;
  readonly host: string;
  readonly clock: Clock;
}

/** Long enough for a timer to be exact, short enough to hold up no round. */
const PROBE_MS = 20;

export function processSource({ role, host, clock }: ProcessSourceOptions): SampleSource {
  const labels = { role, host };
  let before = timeUsed();
  return {
    name: "process",
    collect: async (now) => {
      const lagMs = await eventLoopLagMs(clock);
      const after = timeUsed();
      const share = shareOfProcessors(before, after, cpus().length);
      before = after;
      const { rss, heapUsed } = memoryUsage();
      return [
        ...gauge("algobrain.process.cpu_ratio", share, now, labels),
        ...gauge("algobrain.process.resident_bytes", rss, now, labels),
        ...gauge("algobrain.process.heap_bytes", heapUsed, now, labels),
        ...gauge("algobrain.process.event_loop_lag_ms", lagMs, now, labels),
      ];
    },
  };
}

async function eventLoopLagMs(clock: Clock): Promise<number> {
  const beganMs = performance.now();
  await clock.sleep(PROBE_MS);
  return Math.max(performance.now() - beganMs - PROBE_MS, 0);
}

interface TimeUsed {
  /** Milliseconds of processors, ours and the kernel's for us. */
  readonly usedMs: number;
  readonly atMs: number;
}

function timeUsed(): TimeUsed {
  const { user, system } = cpuUsage();
  return { usedMs: (user + system) / 1_000, atMs: performance.now() };
}

/** Null when no time passed in between. */
function shareOfProcessors(from: TimeUsed, to: TimeUsed, processors: number): number | null {
  const passedMs = (to.atMs - from.atMs) * processors;
  return passedMs > 0 ? Math.min((to.usedMs - from.usedMs) / passedMs, 1) : null;
}
