/**
 * ingest (HB-wrk-05): a stored GitHub delivery becomes a row of `events`; a push to a repository that we
 * hold asks for its sync. One transaction; the delivery id makes a repeat change nothing.
 */
import { fault } from "../../base/fault.js";
import type { Cache, JobContext, JobHandler } from "../../job/port.js";
import type { CacheLifetimes } from "../../policy/policy.js";
import type { Database, Sql } from "../../store/database.js";
import { addEvent } from "../../store/events.js";
import {
  findGithubDelivery,
  type StoredDelivery,
  settleGithubDelivery,
} from "../../store/github-deliveries.js";
import { enqueueJob } from "../../store/jobs.js";
import { syncJob } from "../follow-up.js";
import { eventRepoId, eventTime } from "../github-event.js";
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
      const maySync = delivery.eventType === "push" && (await isHeldHere(deps, delivery));
      return deps.db.transaction((tx) => ingest(tx, delivery, maySync, context));
    },
  };
}

async function ingest(tx: Sql, delivery: StoredDelivery, maySync: boolean, { job }: JobContext) {
  const repoId = eventRepoId(delivery.body);
  const added = await addEvent(tx, {
    deliveryId: delivery.deliveryId,
    source: "github",
    eventType: delivery.eventType,
    repoId,
    payload: delivery.body,
    occurredAt: eventTime(delivery.body, delivery.receivedAt),
  });
  const mustSync = added && maySync;
  const sync = mustSync && repoId ? await enqueueJob(tx, syncJob(repoId, job)) : null;
  await settleGithubDelivery(tx, delivery.deliveryId, added ? "stored" : "known");
  return { event: added ? "stored" : "known", repo_id: repoId, sync: sync?.id ?? null };
}

/** Asked at every push of an organisation: most often the cache knows. */
async function isHeldHere(deps: IngestDeps, { body }: StoredDelivery): Promise<boolean> {
  const repoId = eventRepoId(body);
  return repoId !== null && (await isRepoHeld(deps, repoId));
}
