/**
 * A worker process says that it lives from a thread with its own connection, so that a busy loop of a
 * handler does not look like death. The thread also ends the process when it cannot beat for the time
 * after which others take its jobs, or when its parent is gone.
 */
import { Worker } from "node:worker_threads";

/** Sessions that the heartbeat opens beside the pool: HB-env-02 bounds all together. */
export const HEARTBEAT_CONNECTIONS = 1;

export interface HeartbeatOptions {
  readonly databaseUrl: string;
  readonly ssl: boolean;
  readonly workerId: string;
  /** After this long without a beat the process is dead to others (`healing.workerDeadAfterMs`). */
  readonly deadAfterMs: number;
  /** Ends the process when its parent is another one by now; null: it has no supervisor. */
  readonly parentPid: number | null;
  /** Of StartedJobs: one number a slot, 0 for none. */
  readonly started: SharedArrayBuffer;
  /** Its file: emptied before the process ends itself, for then no job is to blame. Null: there is none. */
  readonly evidencePath: string | null;
}

/** What the thread tells. After `lost` the process has a moment to say so (an orphan: to give its jobs back), then it is killed. */
export type HeartbeatMessage =
  | { readonly kind: "beating" }
  | { readonly kind: "lost"; readonly why: string };

export interface Heartbeat {
  /** Resolves with the first beat; rejects when the thread cannot start. */
  readonly beating: Promise<void>;
  stop(): Promise<void>;
}

export function startHeartbeat(
  options: HeartbeatOptions,
  onLost: (why: string) => void,
): Heartbeat {
  const thread = new Worker(threadFile(), { workerData: options });
  // A process whose start failed must not live on for its heartbeat.
  thread.unref();
  const exited = new Promise((resolve) => thread.once("exit", resolve));
  const beating = new Promise<void>((resolve, reject) => {
    thread.on("message", (message: HeartbeatMessage) => {
      if (message.kind === "beating") resolve();
      else onLost(message.why);
    });
    thread.once("error", (error) => {
      reject(error);
      onLost(`heartbeat thread failed: ${error.message}`);
    });
  });
  return {
    beating,
    stop: async () => {
      thread.removeAllListeners("error");
      thread.postMessage("stop");
      await exited;
    },
  };
}

/** Threads start from dist, also when this file runs from source (design 3, decision 1). */
function threadFile(): URL {
  const beside = new URL("./heartbeat-thread.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace("/src/runtime/", "/dist/src/runtime/"));
}
