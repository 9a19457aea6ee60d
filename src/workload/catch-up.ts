/**
 * Webhook deliveries that did not arrive. GitHub sends none a second time, but keeps a log of them for three days
 * (docs.github.com, "Handling failed webhook deliveries"): what failed there and is unknown here is fetched and goes
 * the way of every delivery, under its own id, so it becomes one event however often it comes.
 */
import { DAY_MS, MINUTE_MS } from "../base/duration.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { makeStorable } from "../base/make-storable.js";
import type { JobContext } from "../job/port.js";
import type { LoggedDelivery, SourceHost } from "../job/source-port.js";
import { isOwnComment } from "../runbook/own-word.js";
import type { Database } from "../store/database.js";
import { moveReached, readReached } from "../store/followed-owners.js";
import {
  type DeliveryOutcome,
  findUnarrived,
  recordGithubDelivery,
} from "../store/github-deliveries.js";

interface CatchUpDeps {
  readonly db: Database;
  readonly source: SourceHost;
}

/** GitHub's log reaches no further back. */
const LOG_MS = 3 * DAY_MS;
/** A delivery stands in the log when it was answered, not when it was sent: the end is read once more. */
const OVERLAP_MS = 10 * MINUTE_MS;
/** Of 100 deliveries each; more than that happened in one hour nowhere that we know of. */
const PAGES_MAX = 200;
/** Each costs a request; what is left over is fetched the next time. */
const FETCHED_MAX = 1_000;
/** As the door takes them. */
const DELIVERY_ID = /^[0-9A-Za-z-]{8,64}$/;
const EVENT_TYPE = /^[a-z_]{1,64}$/;

/** `hidden`: the credential may not read the log, or no webhook of this owner leads to us. */
export async function catchUp(
  { db, source }: CatchUpDeps,
  owner: string,
  context: JobContext,
): Promise<JsonObject> {
  const startedAt = context.now().getTime();
  const followed = { host: source.host, owner };
  const reached = await readReached(db, followed);
  const since = new Date(Math.max(reached.getTime() - OVERLAP_MS, startedAt - LOG_MS));
  const logged = await readLog(source, owner, since, context);
  if (logged === "hidden") return { deliveries: "hidden" };
  const missed = await findMissed(db, logged.items);
  const fetched = missed.slice(0, FETCHED_MAX);
  let [recovered, lost] = [0, 0];
  for (const [at, delivery] of fetched.entries()) {
    context.progress(at / fetched.length, `${at} of ${missed.length} missed deliveries fetched`);
    const outcome = await recover({ db, source }, owner, delivery, context.signal);
    if (outcome === "lost") lost++;
    else recovered++;
  }
  const end = missed.length > fetched.length ? fetched.at(-1)!.at : logged.newest;
  if (end !== null) await moveReached(db, followed, end);
  const { items, isCut } = logged;
  return { deliveries: items.length, missed: missed.length, recovered, lost, log_cut: isCut };
}

interface ReadLog {
  readonly items: readonly LoggedDelivery[];
  readonly newest: Date | null;
  /** There was more than one run reads: what is older was not looked at. */
  readonly isCut: boolean;
}

async function readLog(
  source: SourceHost,
  owner: string,
  since: Date,
  { signal }: JobContext,
): Promise<ReadLog | "hidden"> {
  const items: LoggedDelivery[] = [];
  let page: string | null = null;
  let isCut = true;
  for (let pages = 0; pages < PAGES_MAX && isCut; pages++) {
    const answer: Awaited<ReturnType<SourceHost["deliveries"]>> = await source.deliveries(
      owner,
      { page },
      signal,
    );
    if (answer === "hidden") return "hidden";
    items.push(...answer.items.filter(({ at }) => at >= since));
    page = answer.next;
    const oldest = answer.items.at(-1);
    isCut = page !== null && oldest !== undefined && oldest.at >= since;
  }
  return { items, newest: items[0]?.at ?? null, isCut };
}

/** Oldest first, each once. Of a redelivery both attempts are in the log: the id is the same. */
async function findMissed(
  db: Database,
  items: readonly LoggedDelivery[],
): Promise<LoggedDelivery[]> {
  const answered = new Set(items.filter(wasTaken).map(({ guid }) => guid));
  const failed = new Map<string, LoggedDelivery>();
  for (const item of items)
    if (!answered.has(item.guid) && isReadable(item)) failed.set(item.guid, item);
  const unarrived = new Set(await findUnarrived(db, [...failed.keys()]));
  return [...failed.values()]
    .filter(({ guid }) => unarrived.has(guid))
    .sort((a, b) => a.at.getTime() - b.at.getTime());
}

function wasTaken({ status }: LoggedDelivery): boolean {
  return status >= 200 && status < 300;
}

function isReadable({ guid, event }: LoggedDelivery): boolean {
  return DELIVERY_ID.test(guid) && EVENT_TYPE.test(event);
}

type Recovered = DeliveryOutcome["outcome"] | "lost";

async function recover(
  { db, source }: CatchUpDeps,
  owner: string,
  { id, guid, event }: LoggedDelivery,
  signal: AbortSignal,
): Promise<Recovered> {
  const sent = await source.delivery(owner, id, signal);
  if (sent === null || sent.guid !== guid || sent.event !== event) return "lost";
  const delivery = { deliveryId: guid, eventType: event, body: makeStorable(sent.body) };
  const options = { ignoredAs: whyIgnored(delivery) };
  return (await db.transaction((tx) => recordGithubDelivery(tx, delivery, options))).outcome;
}

/** As at the door: what we said ourselves is no sign of life of a repository. */
function whyIgnored({ eventType, body }: { eventType: string; body: JsonObject }): string | null {
  if (eventType === "ping") return "nothing to ingest";
  const { comment } = body;
  return isJsonObject(comment) && isOwnComment(comment.body) ? "a comment of our own" : null;
}
