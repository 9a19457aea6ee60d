/**
 * Stands in for runtime/heartbeat.ts: the same promise without a thread, so that many processes can be
 * simulated in one. What the real one does with `process.kill` this does with the gate of its process.
 */
import { errorMessage } from "../../src/base/fault.js";
import type { Heartbeat, HeartbeatOptions } from "../../src/runtime/heartbeat.js";
import { beatWorker } from "../../src/store/workers.js";
import type { Gate } from "./gate.js";

export const HEARTBEAT_CONNECTIONS = 1;

const BEATS_PER_LEASE = 4;
const LAST_WORDS_MS = 30;

/** By the `databaseUrl` that the worker was given. */
export const GATES = new Map<string, Gate>();

export function startHeartbeat(
  options: HeartbeatOptions,
  onLost: (why: string) => void,
): Heartbeat {
  const gate = GATES.get(options.databaseUrl)!;
  const stopped = new AbortController();
  let begun: () => void = () => {};
  const beating = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const ended = beat(options, gate, begun, stopped.signal).then(async (why) => {
    if (why === null) return;
    onLost(why);
    await gate.rest(LAST_WORDS_MS);
    gate.kill();
  });
  return {
    beating,
    stop: () => {
      stopped.abort();
      return ended;
    },
  };
}

/** Why it must die; null when it was stopped. */
async function beat(
  { workerId, deadAfterMs, started }: HeartbeatOptions,
  gate: Gate,
  begun: () => void,
  stopped: AbortSignal,
): Promise<string | null> {
  let lastBeatMs = performance.now();
  let failure = "paused";
  while (!stopped.aborted) {
    const sentMs = performance.now();
    try {
      const running = [...new Float64Array(started)].filter((seq) => seq > 0);
      if (!(await beatWorker(gate.db, workerId, running)))
        return "others took this worker for dead";
      lastBeatMs = sentMs;
      begun();
    } catch (error) {
      failure = errorMessage(error);
    }
    if (performance.now() - lastBeatMs > deadAfterMs) return `no beat: ${failure}`;
    await gate.rest(deadAfterMs / BEATS_PER_LEASE, stopped);
  }
  return null;
}
