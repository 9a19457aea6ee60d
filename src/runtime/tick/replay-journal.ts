/** As soon as the database takes rows again, what waits in the journal goes into it. Where nothing waits it costs a look into a folder. */
import { isDatabaseAway } from "../../store/database.js";
import { type ReplayDeps, replayJournal, tidyJournal } from "../replay-journal.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 2_000;

export function replayJournalTick(deps: ReplayDeps): Tick {
  return {
    name: "replay-journal",
    everyMs: EVERY_MS,
    run: async (now, signal) => {
      try {
        await replayJournal(deps, signal);
        await tidyJournal(deps.files, now);
      } catch (thrown) {
        // That is what the journal is for: it goes on waiting.
        if (!isDatabaseAway(thrown)) throw thrown;
      }
    },
  };
}
