/**
 * What GitHub's API still tells of the past, as the events that it would have sent: when a pull request was opened
 * and closed, and when a release was published. Only what a reader of events needs; foreign text, nothing taken on trust.
 */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { ApiEvent } from "../store/api-events.js";

/** Of the repository that is read. */
export interface ApiOrigin {
  readonly repoId: string;
  readonly host: string;
  readonly githubId: number;
}

const PULL_KEYS = [
  ...["id", "number", "state", "title", "draft", "html_url", "merge_commit_sha"],
  ...["created_at", "updated_at", "closed_at", "merged_at"],
];
const RELEASE_KEYS = [
  ...["id", "tag_name", "name", "draft", "prerelease", "html_url", "created_at", "published_at"],
];
const USER_KEYS = ["id", "login", "type"];

/** None, one or two: a pull request that is open was only opened. */
export function pullEvents(pull: JsonObject, origin: ApiOrigin): ApiEvent[] {
  const user = keptOf(pull.user, USER_KEYS);
  const merged = typeof pull.merged_at === "string";
  const body = { pull_request: { ...keptOf(pull, PULL_KEYS), user, merged } };
  return [
    ...eventAt(pull.created_at, ["pull_request", pull.id, "opened"], body, origin),
    ...eventAt(pull.closed_at, ["pull_request", pull.id, "closed"], body, origin),
  ];
}

/** None for a draft. */
export function releaseEvents(release: JsonObject, origin: ApiOrigin): ApiEvent[] {
  const author = keptOf(release.author, USER_KEYS);
  const body = { release: { ...keptOf(release, RELEASE_KEYS), author } };
  return eventAt(release.published_at, ["release", release.id, "published"], body, origin);
}

function eventAt(
  at: Json | undefined,
  [eventType, id, action]: readonly [string, Json | undefined, string],
  body: JsonObject,
  { repoId, host, githubId }: ApiOrigin,
): ApiEvent[] {
  const occurredAt = typeof at === "string" ? new Date(at) : null;
  if (occurredAt === null || Number.isNaN(occurredAt.getTime()) || typeof id !== "number")
    return [];
  return [
    {
      // A pull request that was opened again is closed at another time: another event.
      deliveryId: `api:${host}:${eventType}:${id}:${action}:${occurredAt.toISOString()}`,
      ...{ eventType, repoId, occurredAt },
      payload: { action, ...body, repository: { id: githubId } },
    },
  ];
}

function keptOf(value: Json | undefined, keys: readonly string[]): JsonObject {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    keys.flatMap((key): [string, Json][] => {
      const kept = value[key];
      return kept === undefined || isNested(kept) ? [] : [[key, storable(kept)]];
    }),
  );
}

function isNested(value: Json): boolean {
  return typeof value === "object" && value !== null;
}

/** PostgreSQL keeps neither NUL nor half a character in a text. */
function storable(value: Json): Json {
  return typeof value === "string"
    ? value.replaceAll("\u0000", "").replace(/\p{Surrogate}/gu, "")
    : value;
}
