/** As soon as the database takes rows again, what waits in the journal goes into it. Where nothing waits it costs a look into a folder. */
import { DAY_MS, HOUR_MS } from "../../base/duration.js";
import { isDatabaseAway } from "../../store/database.js";
import { forgetJournalEntries } from "../../store/journal-entries.js";
import { type ReplayDeps, replayJournal, tidyJournal } from "../replay-journal.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 2_000;
const TIDY_EVERY_MS = HOUR_MS;
/** Far longer than files that were taken over are kept. */
const ENTRIES_KEPT_MS = 30 * DAY_MS;

export function replayJournalTick(deps: ReplayDeps): Tick {
  let tidiedMs = Number.NEGATIVE_INFINITY;
  return {
    name: "replay-journal",
    everyMs: EVERY_MS,
    run: async (now, signal) => {
      try {
        await replayJournal(deps, signal);
        if (now.getTime() - tidiedMs < TIDY_EVERY_MS) return;
        await tidyJournal(deps.files, now);
        await forgetJournalEntries(deps.db, new Date(now.getTime() - ENTRIES_KEPT_MS));
        tidiedMs = now.getTime();
      } catch (thrown) {
        // That is what the journal is for: it goes on waiting.
        if (!isDatabaseAway(thrown)) throw thrown;
      }
    },
  };
}
