/** Words of the runtime itself become notices: safe mode, quarantine, what the watchdog saw. */
import { MINUTE_MS } from "../base/duration.js";
import type { PolicySet } from "../policy/policy.js";
import { enqueueNotice, isNoticeTold, type NewNotice } from "../store/notices.js";
import type { RuntimeNotify } from "./runtime-word.js";

/** The same trouble inside this time is one message; later it is news again. */
export const ONCE_PER_MS = 5 * MINUTE_MS;

/** Write it in the transaction of what it speaks of. */
export function createRuntimeNotify(deps: {
  readonly policy: () => PolicySet;
  readonly now: () => Date;
}): RuntimeNotify {
  return async (sql, word) => {
    const since = new Date(deps.now().getTime() - ONCE_PER_MS);
    const { audience, key, place, action = "trigger", ...said } = word;
    const { system, routes } = deps.policy();
    for (const receiver of routes.runtimeReceivers[audience]) {
      const notice: NewNotice = {
        ...said,
        receiver,
        action,
        dedupKey: `${system}/${key}`,
        source: `${system}/${place}`,
        reason: "runtime-word",
      };
      if (await isNoticeTold(sql, notice, since)) continue;
      await enqueueNotice(sql, notice);
    }
  };
}
