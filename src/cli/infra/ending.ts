/**
 * Being told to end in the midst of Terraform's work. It is interrupted once and waited for: it finishes what it has begun,
 * stores its state and lets go of the lock. A second interruption would make it leave all that, so none is passed on.
 */
import type { CommandIo } from "../command.js";

/** GitHub sends INT, TERM after 7.5 s, and kills after 10 s ("Workflow cancellation reference"). */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function untilEnding<T>(
  io: Pick<CommandIo, "err">,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    const again = ending.signal.aborted
      ? "it is ending already"
      : "terraform ends what it has begun";
    io.err(`${signal}: ${again}; wait for it, or a lock and half a change stay behind`);
    ending.abort(new Error(`told to end by ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work(ending.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
