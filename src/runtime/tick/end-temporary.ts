/**
 * The time of a temporary change has come: this writes it down and tells people, and changes nothing in AWS. What
 * goes back is for the run's undo or for the next apply, which shows it as drift from now on.
 */
import type { Database } from "../../store/database.js";
import {
  endExpiredTemporaryChanges,
  hasExpiredTemporaryChanges,
  type TemporaryChange,
} from "../../store/temporary-changes.js";
import type { Emit } from "../events.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 10_000;

export function endTemporaryTick(deps: {
  readonly db: Database;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
}): Tick {
  return {
    name: "end-temporary",
    everyMs: EVERY_MS,
    run: async () => {
      if (!(await hasExpiredTemporaryChanges(deps.db))) return;
      const ended = await deps.db.transaction(async (tx) => {
        const expired = await endExpiredTemporaryChanges(tx);
        for (const change of expired) await deps.notify(tx, wordOfExpired(change));
        return expired;
      });
      for (const { target, attribute } of ended)
        deps.emit({ event: "temporary-change.expired", target, attribute });
    },
  };
}

/** The operators hear it: who made it, and how it goes back. */
export function wordOfExpired(change: TemporaryChange): RuntimeWord {
  const { id, target, attribute, before, after, owner, reason, runId } = change;
  const said = `${JSON.stringify(after)} (before: ${JSON.stringify(before)})`;
  const back =
    runId === null
      ? "set it back"
      : `/algobrain undo ${runId}, unless something else moved it since`;
  return {
    ...{ audience: "operator", severity: "sev3", key: `temporary-change/${id}`, place: target },
    message: {
      tone: "warning",
      title: `Over: ${attribute} of ${target} was to be ${said} for a while only`,
      text: reason,
      fields: [
        { label: "Owner", value: owner },
        { label: "What to do", value: `${back}; plans show it as drift from now on` },
      ],
    },
    details: { id, target, attribute, before, after, owner, reason, run: runId },
  };
}
