/** The page about a runbook that automation may no longer start, and what takes it back. */
import type { Message } from "../message/message.js";

/** As in `RuntimeWord`: the system stands before it abroad. */
export function breakerKey(runbook: string): string {
  return `automation/${runbook}/breaker`;
}

export function breakerOpened(runbook: string, reason: string): Message {
  return {
    tone: "bad",
    title: `${runbook} does not start by itself any more`,
    text: `It was stopped ${reason}. Look why, then: algobrain runbook trust ${runbook} --reset --reason "…"`,
  };
}

export interface BreakerClosed {
  readonly runbook: string;
  /** Who has looked. */
  readonly by: string;
  readonly reason: string;
}

export function breakerClosed({ runbook, by, reason }: BreakerClosed): Message {
  return {
    tone: "good",
    title: `${by} has looked: ${runbook} is no longer kept from starting by itself`,
    text: reason,
  };
}
