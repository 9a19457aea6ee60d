/** The leader anchors the audit chain each hour; whoever finds it changed wakes somebody. */
import { HOUR_MS } from "../../base/duration.js";
import { Fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Database } from "../../store/database.js";
import { type AnchorDeps, anchorAudit } from "../anchor-audit.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

export interface AnchorTickDeps extends AnchorDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly notify: RuntimeNotify;
}

/** Also once on each change of the leader. */
export function anchorAuditTick(deps: AnchorTickDeps): Tick {
  return {
    name: "anchor-audit",
    everyMs: HOUR_MS,
    run: async (_, signal) => {
      try {
        const anchored = await anchorAudit(deps, signal);
        if (anchored.outcome === "stored")
          deps.log.info("audit.anchored", { seq: anchored.seq, place: deps.place.place });
      } catch (thrown) {
        if (thrown instanceof Fault && thrown.code === "AUDIT_CHAIN_BROKEN") {
          const word = wordOfBroken(thrown);
          await deps.db.transaction((tx) => deps.notify(tx, word));
        }
        throw thrown;
      }
    },
  };
}

function wordOfBroken({ message, hint }: Fault): RuntimeWord {
  return {
    audience: "critical",
    severity: "sev1",
    key: "audit-chain-broken",
    place: "audit",
    message: {
      tone: "bad",
      title: "The audit log was changed after the fact",
      text: `${message}. ${hint ?? ""}`,
    },
    details: { error: message },
  };
}
