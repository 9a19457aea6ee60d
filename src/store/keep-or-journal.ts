/**
 * An event from outside is kept in the database, or in the journal of this machine when the database is away or too
 * slow for whoever waits. It may come to stand in both: its row is unique, so the journal's entry finds it there.
 */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Journal } from "../runbook/journal.js";
import { type Database, isDatabaseAway, type Sql } from "./database.js";
import type { NewInbound } from "./inbound.js";

export interface KeepDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** Null or absent: what the database does not take is lost, and its sender told so. */
  readonly journal?: Journal | null | undefined;
}

export type Kept<T> =
  | { readonly place: "database"; readonly value: T }
  | { readonly place: "journal" | "nowhere" };

/**
 * @param withinMs what the sender's patience leaves to the database
 * @param keep writes it, in a transaction
 */
export async function keepOrJournal<T>(
  deps: KeepDeps,
  event: NewInbound,
  withinMs: number,
  keep: (tx: Sql) => Promise<T>,
): Promise<Kept<T>> {
  const { db, clock, log } = deps;
  const isInTime = new AbortController();
  const kept = db.transaction(keep).then(
    (value): Kept<T> => ({ place: "database", value }),
    (thrown: unknown): null => {
      // What the database understood and refused, the journal would not make better.
      if (!isDatabaseAway(thrown)) throw thrown;
      log.error("door.unrecorded", { door: event.source, error: errorMessage(thrown) });
      return null;
    },
  );
  // Whoever answers first: the loser's failure is nobody's news then.
  const answered = kept.catch((thrown: unknown) => ({ thrown }));
  const late = clock.sleep(withinMs, isInTime.signal).then(() => null);
  const answer = await Promise.race([answered, late]);
  isInTime.abort();
  if (answer === null) return journalInstead(deps, event);
  if ("thrown" in answer) throw answer.thrown;
  return answer;
}

async function journalInstead(
  { journal, log }: KeepDeps,
  { source, deliveryId, eventType, body }: NewInbound,
): Promise<{ readonly place: "journal" | "nowhere" }> {
  if (!journal) return { place: "nowhere" };
  const event = { source, deliveryId, eventType, body };
  try {
    await journal.append({ kind: "inbound", key: `${source}/${deliveryId}`, ...event });
    log.warn("door.journalled", { door: source, delivery: deliveryId });
    return { place: "journal" };
  } catch (thrown) {
    log.error("door.unjournalled", { door: source, error: errorMessage(thrown) });
    return { place: "nowhere" };
  }
}
