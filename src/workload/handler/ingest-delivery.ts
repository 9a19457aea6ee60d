/**
 * ingest (HB-wrk-05): a stored GitHub delivery becomes a row of `events`, whatever it is, and asks for the sync and
 * the score of a repository that we hold. One transaction; the delivery id makes a repeat change nothing.
 * Deliveries come late, twice and in any order: what a repository is now, sync asks GitHub.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, JobContext, JobHandler } from "../../job/port.js";
import type { CacheLifetimes } from "../../policy/policy.js";
import type { Database, Sql } from "../../store/database.js";
import { addEvent } from "../../store/events.js";
import {
  findGithubDelivery,
  type StoredDelivery,
  settleGithubDelivery,
} from "../../store/github-deliveries.js";
import { enqueueLater } from "../../store/later-jobs.js";
import { isKnownEvent } from "../event-names.js";
import { type EventRepo, findEventRepo, keepNewName } from "../event-repo.js";
import { soonScoreJob, syncJob } from "../follow-up.js";
import { loadForgotten } from "../forgotten.js";
import { eventTime, followUpsOf } from "../github-event.js";
import type { IngestPayload } from "../payloads.js";
import { isRepoHeld } from "../repo-cache.js";

interface IngestDeps {
  readonly db: Database;
  readonly cache: Cache;
  readonly lifetimes: () => CacheLifetimes;
}

export function createIngestHandler(deps: IngestDeps): JobHandler {
  return {
    kind: "ingest",
    run: async (context) => {
      const { delivery_id } = context.job.payload as IngestPayload;
      const delivery = await findGithubDelivery(deps.db, delivery_id);
      if (delivery === null)
        throw fault.data("DELIVERY_UNKNOWN", `no GitHub delivery "${delivery_id}" was stored`, {
          hint: "redeliver it from the webhook's page on GitHub",
        });
      const repo = await findEventRepo(deps.db, delivery.eventType, delivery.body);
      const isHeld = repo !== null && (await isRepoHeld(deps, repo.id));
      return deps.db.transaction((tx) => ingest(tx, delivery, { repo, isHeld }, context));
    },
  };
}

interface About {
  readonly repo: EventRepo | null;
  readonly isHeld: boolean;
}

async function ingest(
  tx: Sql,
  delivery: StoredDelivery,
  about: About,
  context: JobContext,
): Promise<JsonObject> {
  const forgotten = await loadForgotten(tx);
  const payload = forgotten.scrub(delivery.body);
  const isNew = await keepEvent(tx, delivery, payload, about.repo?.id ?? null);
  const [sync, score] = isNew ? await askFollowUps(tx, delivery, about, context) : [null, null];
  const outcome = isNew ? "stored" : "known";
  await settleGithubDelivery(
    tx,
    delivery.deliveryId,
    outcomeText(outcome, delivery.eventType),
    payload === delivery.body ? null : payload,
  );
  return { event: outcome, repo_id: about.repo?.id ?? null, sync, score };
}

function outcomeText(outcome: "stored" | "known", eventType: string): string {
  return isKnownEvent(eventType) ? outcome : `${outcome}, kind unknown`;
}

async function keepEvent(
  tx: Sql,
  { deliveryId, eventType, body, receivedAt }: StoredDelivery,
  payload: JsonObject,
  repoId: string | null,
): Promise<boolean> {
  const occurredAt = eventTime(eventType, body, receivedAt);
  return addEvent(tx, { deliveryId, source: "github", eventType, repoId, payload, occurredAt });
}

/** Ids of the jobs of sync and score; null: not needed. */
async function askFollowUps(
  tx: Sql,
  { eventType, body }: StoredDelivery,
  { repo, isHeld }: About,
  { job, now }: JobContext,
): Promise<[sync: string | null, score: string | null]> {
  if (repo === null || !isHeld) return [null, null];
  await keepNewName(tx, repo);
  const asked = followUpsOf(eventType, body);
  const sync = asked.sync ? syncJob(repo.id, job) : null;
  const score = asked.score ? soonScoreJob(repo.id, now(), job) : null;
  const wanted = [sync, score].filter((one) => one !== null);
  const ids = (await enqueueLater(tx, wanted)).map(({ id }) => id);
  return [sync && ids[0]!, score && ids[wanted.length - 1]!];
}
