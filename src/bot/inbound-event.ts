/** A stored event on its way to a decision: the row, the job that acts on it, and what it may use. */
import type { JobContext } from "../job/port.js";
import type { PolicySet } from "../policy/policy.js";
import type { Chat, Incidents } from "../runbook/port.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Database, Sql } from "../store/database.js";
import { type Inbound, settleInbound } from "../store/inbound.js";

export interface InboundDeps {
  readonly db: Database;
  readonly registry: RunbookRegistry;
  readonly policy: () => PolicySet;
  /** Null when not configured: then the row and the audit alone tell. */
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
  /** Where policies are reviewed, `owner/name`; null: nowhere. */
  readonly gitopsRepo: string | null;
}

export interface InboundEvent extends InboundDeps {
  readonly inbound: Inbound;
  readonly context: JobContext;
}

export interface Settled {
  readonly status: "handled" | "ignored" | "refused";
  /** One sentence: the run that was queued, or why there is none. */
  readonly outcome: string;
}

/** Decides once, in one transaction. A repeat of the job finds what was decided, and only has to tell it. */
export async function settleOnce(
  { db, inbound }: InboundEvent,
  decide: (tx: Sql) => Promise<Settled>,
): Promise<Settled> {
  if (inbound.status !== "received")
    return { status: inbound.status, outcome: inbound.outcome ?? "" };
  return db.transaction(async (tx) => {
    const settled = await decide(tx);
    if (!(await settleInbound(tx, inbound.id, settled)))
      throw new Error(`inbound event ${inbound.id} was settled by another worker in this moment`);
    return settled;
  });
}
