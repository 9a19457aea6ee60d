/** What goes on without the database: one process of a home at least sees that it is away, pages, and takes over afterwards what was kept. */
import { hostname } from "node:os";
import { join } from "node:path";
import { keepPagerDutyEvent } from "../bot/pagerduty-door.js";
import { directPageTick } from "../runtime/direct-page.js";
import type { InboundEntry } from "../runtime/replay-journal.js";
import { replayJournalTick } from "../runtime/tick/replay-journal.js";
import type { Tick } from "../runtime/ticker.js";
import { type Database, openDatabase, type Sql } from "../store/database.js";
import { recordInbound } from "../store/inbound.js";
import { isWritable } from "../store/server.js";
import { keepGithubDelivery } from "../web/route/github.js";
import type { Foundation } from "./foundation.js";
import { createRegistry } from "./kinds.js";
import { createDirectNotifiers } from "./ports.js";

/** Of a process that watches for an outage. */
export const OUTAGE_SESSIONS = 1;
/** A server that has not answered by then counts as away at this look. */
const PROBE_MS = 2_000;

/** Close after the ticks have ended. */
export function outlivingTicks(foundation: Foundation): { ticks: Tick[]; close(): Promise<void> } {
  const { config, journalFiles: files } = foundation;
  const probing = openProbe(foundation);
  const paging = directPageTick({
    ...foundation,
    notifiers: createDirectNotifiers(foundation),
    probe: async () => ((await isWritable(probing)) ? "writable" : "read-only"),
    noteFile: join(config.home, "database-down"),
  });
  const kinds = createRegistry();
  const takeInbound = (tx: Sql, entry: InboundEntry) => takeOver(tx, entry, kinds);
  const replaying = replayJournalTick({ ...foundation, files, host: hostname(), takeInbound });
  return { ticks: [paging, replaying], close: () => probing.close() };
}

/** A session of its own, since a pool that is all in use is no outage. */
function openProbe({ config, databaseUrl, log }: Foundation): Database {
  return openDatabase({
    url: databaseUrl,
    poolMax: OUTAGE_SESSIONS,
    ssl: config.database.ssl,
    applicationName: "algobrain-heartbeat-outage",
    connectTimeoutMs: PROBE_MS,
    statementTimeoutMs: PROBE_MS,
    onIdleError: (error) => log.debug("database.connection-lost", { error: error.message }),
  });
}

/** Exactly what the door would have done. */
async function takeOver(
  tx: Sql,
  entry: InboundEntry,
  kinds: ReturnType<typeof createRegistry>,
): Promise<string> {
  switch (entry.source) {
    case "pagerduty":
      return keepPagerDutyEvent(tx, entry);
    case "github":
      return keepGithubDelivery(tx, entry, kinds);
    case "slack": {
      const { fresh } = await recordInbound(tx, entry);
      return fresh ? "kept" : "already here";
    }
  }
}
