/** The silences of the policy in force stand in the same table as those of the API; those that left it end. */
import { MINUTE_MS } from "../../base/duration.js";
import type { Logger } from "../../base/log.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import { layGitSilences } from "../../store/git-silences.js";
import type { Tick } from "../ticker.js";

export interface LaySilencesDeps {
  readonly db: Database;
  readonly log: Logger;
  /** In force: never a candidate that a process tries out. */
  readonly policy: () => PolicySet;
}

const EVERY_MS = 10_000;
/** Nothing changes them but a policy; a restored database may have lost them all the same. */
const AGAIN_AFTER_MS = 5 * MINUTE_MS;

export function laySilencesTick({ db, log, policy }: LaySilencesDeps): Tick {
  let last: { readonly policy: PolicySet; readonly atMs: number } | null = null;
  return {
    name: "lay-silences",
    everyMs: EVERY_MS,
    run: async (now) => {
      const current = policy();
      const isSame = last?.policy.silences === current.silences;
      if (isSame && now.getTime() - last!.atMs < AGAIN_AFTER_MS) return;
      const { laid, ended } = await db.transaction((tx) =>
        layGitSilences(tx, current.system, current.silences, now),
      );
      last = { policy: current, atMs: now.getTime() };
      if (laid.length + ended.length > 0) log.info("silences.laid", { laid, ended });
    },
  };
}
