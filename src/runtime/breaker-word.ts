/** What a change of a breaker is worth: an event for the log, and a word for the operators when it opens and closes. */
import type { Breaker } from "../base/breaker.js";
import type { RuntimeEvent } from "./events.js";
import type { RuntimeWord } from "./runtime-word.js";

export function eventsOfChange(name: string, before: Breaker, after: Breaker): RuntimeEvent[] {
  const { gateUntil } = after;
  const gate: RuntimeEvent[] =
    gateUntil && gateUntil.getTime() !== before.gateUntil?.getTime()
      ? [{ event: "gate.closed", dependency: name, until: gateUntil.toISOString() }]
      : [];
  return [...gate, ...eventOfState(name, before, after)];
}

function eventOfState(name: string, before: Breaker, after: Breaker): RuntimeEvent[] {
  if (before.state === after.state) return [];
  switch (after.state) {
    case "open":
      return [
        {
          event: "breaker.opened",
          dependency: name,
          reason: after.reason ?? "",
          until: after.nextAt?.toISOString() ?? "",
        },
      ];
    case "half_open":
      return [{ event: "breaker.half-opened", dependency: name }];
    case "closed":
      return [{ event: "breaker.closed", dependency: name }];
  }
}

/** A breaker that opens again after a probe is no news: only the way out of closed, and the way back, is told. */
export function wordOfChange(name: string, before: Breaker, after: Breaker): RuntimeWord | null {
  const isClosed = after.state === "closed";
  if (isClosed === (before.state === "closed")) return null;
  return {
    audience: "operator",
    severity: "sev3",
    action: isClosed ? "resolve" : "trigger",
    key: `breaker/${name}`,
    place: name,
    message: isClosed
      ? { tone: "good", title: `${name} answers again: its breaker is closed` }
      : {
          tone: "warning",
          title: `${name} is left alone for a while: ${after.reason ?? "its breaker is open"}`,
          text: "Work that needs it waits and burns no attempt; probes find out when it is well.",
        },
    details: { dependency: name, state: after.state, reason: after.reason ?? before.reason },
  };
}
