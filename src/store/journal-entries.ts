/** What a local journal kept while the database was away, taken over into it: each entry once, however often it is read. */
import type { JsonObject } from "../base/json.js";
import type { JournalEntry } from "../runbook/journal.js";
import { appendAudit, type NewAuditEntry } from "./audit.js";
import type { Sql } from "./database.js";

export interface JournalOrigin {
  /** Of the machine. */
  readonly host: string;
  /** ISO 8601, by the clock of that machine. */
  readonly writtenAt: string;
}

/** False: it was taken over before. Call it first in the transaction that acts on the entry. */
export async function claimJournalEntry(
  tx: Sql,
  { key, kind }: Pick<JournalEntry, "key" | "kind">,
  { host, writtenAt }: JournalOrigin,
): Promise<boolean> {
  // A reader of the same entry that is at work waits here for the other's end.
  const { rowCount } = await tx.query(
    `INSERT INTO control.journal_entry (key, kind, host, written_at, outcome)
     VALUES ($1, $2, $3, $4, 'at work') ON CONFLICT (key) DO NOTHING`,
    [key, kind, host, writtenAt],
  );
  return rowCount > 0;
}

/** In the same transaction. `outcome` is one sentence. */
export async function settleJournalEntry(tx: Sql, key: string, outcome: string): Promise<void> {
  await tx.query("UPDATE control.journal_entry SET outcome = $2 WHERE key = $1", [key, outcome]);
}

/** Once no file can be left that holds them: their rows of events are unique for themselves all the same. */
export async function forgetJournalEntries(sql: Sql, before: Date): Promise<void> {
  await sql.query("DELETE FROM control.journal_entry WHERE replayed_at < $1", [before]);
}

/** What a machine did by itself while nobody could write it down. */
export async function recordPastDeed(
  tx: Sql,
  entry: Exclude<JournalEntry, { kind: "inbound" }>,
  { host, writtenAt }: JournalOrigin,
): Promise<void> {
  const { details, ...said } = auditOf(entry);
  await appendAudit(tx, { ...said, details: { ...details, host, at: writtenAt } });
}

function auditOf(
  entry: Exclude<JournalEntry, { kind: "inbound" }>,
): NewAuditEntry & { readonly details: JsonObject } {
  switch (entry.kind) {
    case "page": {
      const { dedupKey: target, title, severity, reference } = entry;
      const details = { title, severity, reference };
      return { actor: "watchdog", action: "page.sent-directly", target, details };
    }
    case "order": {
      const { by: actor, order, reason } = entry;
      const action = order === "stop" ? "runbooks.stopped" : "runbooks.resumed";
      return { actor, action, target: "runbooks", details: { reason } };
    }
    case "terminal-run": {
      const { by: actor, runbook, params, outcome } = entry;
      const target = `runbook:${runbook}`;
      return { actor, action: "runbook.ran-offline", target, details: { params, outcome } };
    }
  }
}

/** Newest first. */
export async function listJournalEntries(
  sql: Sql,
  limit: number,
): Promise<
  { readonly key: string; readonly kind: string; readonly host: string; readonly outcome: string }[]
> {
  const { rows } = await sql.query<{ key: string; kind: string; host: string; outcome: string }>(
    "SELECT key, kind, host, outcome FROM control.journal_entry ORDER BY replayed_at DESC, key LIMIT $1",
    [limit],
  );
  return rows;
}
