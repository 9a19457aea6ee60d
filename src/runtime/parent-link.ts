/** A child process and its supervisor: who it is, and that it ends when the supervisor does. */

/** What a worker process tells its supervisor. */
export interface WorkerRegistered {
  readonly kind: "worker.registered";
  readonly workerId: string;
}

export function isWorkerRegistered(message: unknown): message is WorkerRegistered {
  return (
    typeof message === "object" &&
    message !== null &&
    (message as { kind?: unknown }).kind === "worker.registered" &&
    typeof (message as { workerId?: unknown }).workerId === "string"
  );
}

export interface ParentLink {
  /** Null when nobody supervises this process. */
  readonly parentPid: number | null;
  tellRegistered(workerId: string): void;
  /** Calls back once when the channel to the supervisor closes, also by its kill -9. */
  onGone(gone: () => void): void;
  /** Closes the channel, which would keep this process alive after its work has ended. */
  release(): void;
}

/** The channel exists only for a process that was started with one (`stdio: "ipc"`). */
export function parentLink(): ParentLink {
  if (process.send === undefined) {
    return { parentPid: null, tellRegistered: () => {}, onGone: () => {}, release: () => {} };
  }
  return {
    parentPid: process.ppid,
    tellRegistered: (workerId) => {
      const message: WorkerRegistered = { kind: "worker.registered", workerId };
      // A supervisor that is gone hears nothing; `onGone` is how we learn of it.
      process.send?.(message, undefined, undefined, () => {});
    },
    onGone: (gone) => {
      if (process.connected) process.once("disconnect", gone);
      else gone();
    },
    release: () => {
      if (process.connected) process.disconnect();
    },
  };
}
