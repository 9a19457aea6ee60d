/**
 * Asks GitHub what has become of the pull requests that changes wait for. Its webhook says so at once; but a delivery
 * that failed is not repeated, and then a change would wait for ever.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { changeBranches } from "../../review/change-words.js";
import type { GitHost } from "../../review/port.js";
import { type ConfigChange, changeEnded, listOpenChanges } from "../../store/config-changes.js";
import type { Database } from "../../store/database.js";
import type { Tick } from "../ticker.js";

export interface FollowChangesDeps {
  readonly db: Database;
  readonly host: Pick<GitHost, "findPullRequest">;
}

/** Nobody waits for it: people who have merged know. */
const EVERY_MS = 10 * MINUTE_MS;

export function followChangesTick({ db, host }: FollowChangesDeps): Tick {
  return {
    name: "follow-changes",
    everyMs: EVERY_MS,
    run: async (_, signal) => {
      for (const change of await listOpenChanges(db)) await follow({ db, host }, change, signal);
    },
  };
}

async function follow(
  { db, host }: FollowChangesDeps,
  { key, url }: ConfigChange,
  signal: AbortSignal,
): Promise<void> {
  for (const branch of changeBranches(key)) {
    const found = await host.findPullRequest(branch, signal);
    if (found === null) return;
    if (found.url !== url) continue;
    if (found.state !== "open") await changeEnded(db, url, found.state);
    return;
  }
}
