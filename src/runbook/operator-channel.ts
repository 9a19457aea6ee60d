/** Where the on-call engineers read: the first Slack receiver for words of the runtime. */
import type { Routes } from "../policy/policy.js";
import type { ChatPlace } from "./run.js";

/** A place for the living message of a run that no person asked for; undefined when there is none. */
export function operatorChannel({ runtimeReceivers, receivers }: Routes): ChatPlace | undefined {
  for (const name of runtimeReceivers.operator) {
    const receiver = receivers[name];
    if (receiver?.kind === "slack") return { channel: receiver.channel, ts: null };
  }
  return undefined;
}
