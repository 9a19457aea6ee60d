/**
 * What GitHub's own log says of the webhooks that it sent us: it sends none again by itself, and forgets them after
 * three days, on an Enterprise Server seven (docs.github.com, "Redelivering webhooks").
 */
import { Fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { LoggedDelivery, SourceHost } from "../job/source-port.js";
import type { GitHubClient } from "./github.js";
import { wasAnswered } from "./github-faults.js";
import { pageWithin } from "./github-redirect.js";
import { checkOwner, invalid } from "./github-repo.js";

/** Where our door for GitHub is, behind whatever host and prefix. */
const OUR_DOOR = /\/webhooks\/github\/?$/;
const PAGE = { per_page: 100 };

export function createDeliveryLog(
  client: GitHubClient,
  apiUrl: string,
): Pick<SourceHost, "deliveries" | "delivery"> {
  /** By owner: a hook has its number for life. */
  const hooks = new Map<string, number>();
  const hookOf = async (owner: string, signal: AbortSignal) => {
    const hook = hooks.get(owner) ?? (await findHook(client, checkOwner(owner), signal));
    if (hook !== null) hooks.set(owner, hook);
    return hook;
  };
  return {
    deliveries: async (owner, { page }, signal) => {
      const hook = await hookOf(owner, signal);
      if (hook === null) return "hidden";
      const path = page === null ? "/orgs/{org}/hooks/{hook}/deliveries" : pageWithin(apiUrl, page);
      const parameters = page === null ? { org: owner, hook, ...PAGE } : {};
      const answer = await client.read(signal, "the deliveries", { path, parameters });
      if (answer.kind !== "found") {
        // The hook is gone: the next look finds the one that took its place.
        hooks.delete(owner);
        return "hidden";
      }
      if (!Array.isArray(answer.data)) throw invalid("the deliveries", "an array");
      return { items: answer.data.map(readLogged), next: answer.next };
    },
    delivery: async (owner, id, signal) => {
      const hook = await hookOf(owner, signal);
      if (hook === null) return null;
      const path = "/orgs/{org}/hooks/{hook}/deliveries/{id}";
      const ask = { path, parameters: { org: owner, hook, id } };
      try {
        const answer = await client.read(signal, "the delivery", ask);
        return answer.kind === "found" ? readSent(answer.data) : null;
      } catch (error) {
        // Larger than anything that our door takes: it must not stop those that come after it.
        if (error instanceof Fault && error.code === "GITHUB_ANSWER_TOO_LARGE") return null;
        throw error;
      }
    },
  };
}

/** Null: we may not look, or no hook of this organisation leads to us. */
async function findHook(
  client: GitHubClient,
  org: string,
  signal: AbortSignal,
): Promise<number | null> {
  const path = "/orgs/{org}/hooks";
  try {
    const ask = { path, parameters: { org, ...PAGE } };
    const answer = await client.read(signal, "the hooks", ask);
    if (answer.kind !== "found" || !Array.isArray(answer.data)) return null;
    const ours = answer.data.filter(isJsonObject).find(leadsToUs);
    return Number.isSafeInteger(ours?.id) ? Number(ours?.id) : null;
  } catch (error) {
    // A refusal of this alone: a limit, whose code is another, goes on to the caller.
    if (wasAnswered(error, 403) && (error as { code?: unknown }).code === "GITHUB_UNAUTHORIZED")
      return null;
    throw error;
  }
}

function leadsToUs({ config, active }: JsonObject): boolean {
  const url = isJsonObject(config) ? config.url : null;
  if (active === false || typeof url !== "string" || !URL.canParse(url)) return false;
  return OUR_DOOR.test(new URL(url).pathname);
}

function readLogged(value: unknown): LoggedDelivery {
  if (!isJsonObject(value)) throw invalid("a delivery", "an object");
  const { id, guid, event, delivered_at, status_code } = value;
  const at = new Date(typeof delivered_at === "string" ? delivered_at : Number.NaN);
  if (!Number.isSafeInteger(id) || typeof guid !== "string" || typeof event !== "string")
    throw invalid("a delivery", "one with id, guid and event");
  if (Number.isNaN(at.getTime())) throw invalid("delivered_at", "a time (ISO 8601)");
  const status = Number.isSafeInteger(status_code) ? Number(status_code) : 0;
  return { id: Number(id), guid, event, at, status };
}

function readSent(value: unknown): { guid: string; event: string; body: JsonObject } | null {
  const request = isJsonObject(value) ? value.request : null;
  const body = isJsonObject(request) ? request.payload : null;
  if (!isJsonObject(value) || typeof value.guid !== "string" || typeof value.event !== "string")
    throw invalid("the delivery", "one with guid and event");
  // GitHub keeps no payload that is too large.
  return isJsonObject(body) ? { guid: value.guid, event: value.event, body } : null;
}
