/** A child process and its supervisor: who it is, what it is lent, and that it ends when the supervisor does. */
import { type CredentialsAsked, type LentCredentials, readMessage } from "./lent-credentials.js";

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
  /** The answer, if there is one, comes by `onLent`. */
  askCredentials(): void;
  /** Calls back each time the supervisor tells; listen before `tellRegistered`. */
  onLent(lent: (credentials: LentCredentials) => void): void;
  /** Calls back once when the channel to the supervisor closes, also by its kill -9. */
  onGone(gone: () => void): void;
  /** Closes the channel, which would keep this process alive after its work has ended. */
  release(): void;
}

/** The channel exists only for a process that was started with one (`stdio: "ipc"`). */
export function parentLink(): ParentLink {
  if (process.send === undefined) {
    const nothing = () => {};
    return {
      ...{ parentPid: null, tellRegistered: nothing, askCredentials: nothing },
      ...{ onLent: nothing, onGone: nothing, release: nothing },
    };
  }
  // A supervisor that is gone hears nothing; `onGone` is how we learn of it.
  const tell = (message: WorkerRegistered | CredentialsAsked) =>
    process.send?.(message, undefined, undefined, () => {});
  return {
    parentPid: process.ppid,
    tellRegistered: (workerId) => void tell({ kind: "worker.registered", workerId }),
    askCredentials: () => void tell({ kind: "credentials.asked" }),
    onLent: (lent) => {
      process.on("message", (message) => {
        const credentials = readMessage(message);
        if (credentials !== null) lent(credentials);
      });
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
