/** What we read of a GitHub webhook body; all else is kept as it came. Foreign text: nothing is taken on trust. */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { nameOfRemote, type RepoName } from "./repo-name.js";

/** The repository an event speaks of; null for events of an organisation, and for what we cannot read. */
export function eventRepo(body: JsonObject): RepoName | null {
  const remote =
    textAt(body, ["repository", "clone_url"]) ?? textAt(body, ["repository", "html_url"]);
  const name = nameOfRemote(remote);
  if (name === null) return null;
  const id = valueAt(body, ["repository", "id"]);
  const githubId = typeof id === "number" && Number.isSafeInteger(id) && id > 0 ? id : null;
  return { ...name, githubId };
}

/** What the repository was called before this event renamed or moved it; null for all other events. */
export function formerName(eventType: string, body: JsonObject): RepoName | null {
  const repo = eventRepo(body);
  if (eventType !== "repository" || repo === null) return null;
  const [, owner, name] = repo.canonical.split("/");
  const wasName = textAt(body, ["changes", "repository", "name", "from"]);
  const wasOwner =
    textAt(body, ["changes", "owner", "from", "organization", "login"]) ??
    textAt(body, ["changes", "owner", "from", "user", "login"]);
  if (wasName === null && wasOwner === null) return null;
  const former = nameOfRemote(`https://${repo.host}/${wasOwner ?? owner}/${wasName ?? name}`);
  return former?.canonical === repo.canonical ? null : former;
}

/** After these the repository at GitHub may be another than the one we know. */
const CHANGES_REPO = new Set(["push", "create", "delete", "release", "repository", "public"]);
const RELEASED = new Set(["published", "released", "prereleased"]);

/** What an event asks for. The state itself is never taken from an event: it may be late, and another came before it. */
export function followUpsOf(
  eventType: string,
  body: JsonObject,
): { readonly sync: boolean; readonly score: boolean } {
  const merged = eventType === "pull_request" && isMerged(body);
  return {
    sync: merged || CHANGES_REPO.has(eventType),
    score:
      merged ||
      (eventType === "push" && isPushToDefault(body)) ||
      (eventType === "release" && RELEASED.has(textAt(body, ["action"]) ?? "")) ||
      (eventType === "pull_request_review" && body.action === "submitted"),
  };
}

function isMerged(body: JsonObject): boolean {
  return body.action === "closed" && valueAt(body, ["pull_request", "merged"]) === true;
}

function isPushToDefault(body: JsonObject): boolean {
  const branch = textAt(body, ["repository", "default_branch"]);
  return branch !== null && body.ref === `refs/heads/${branch}` && body.deleted !== true;
}

/** The places that say when it happened, best first: of an event of that name, then of any. */
const TIMES_OF: Readonly<Record<string, readonly (readonly string[])[]>> = {
  // When GitHub took it; the time of a commit is whatever its author's clock said.
  push: [
    ["repository", "pushed_at"],
    ["head_commit", "timestamp"],
  ],
  pull_request_review: [["review", "submitted_at"]],
};
const TIMES: readonly (readonly string[])[] = [
  ["release", "published_at"],
  ["comment", "updated_at"],
  ["pull_request", "updated_at"],
  ["issue", "updated_at"],
  ["discussion", "updated_at"],
  ["check_run", "completed_at"],
  ["check_suite", "updated_at"],
  ["workflow_run", "updated_at"],
  ["workflow_job", "completed_at"],
  ["deployment_status", "updated_at"],
  ["deployment", "updated_at"],
  ["alert", "updated_at"],
  ["milestone", "updated_at"],
  ["repository", "updated_at"],
];
/** Before this there was no GitHub. */
const EARLIEST_MS = Date.UTC(2008, 0, 1);

/** When it happened, as far as the body says so credibly; else when it came. Never later than it came. */
export function eventTime(eventType: string, body: JsonObject, receivedAt: Date): Date {
  for (const path of [...(TIMES_OF[eventType] ?? []), ...TIMES]) {
    const at = timeOf(valueAt(body, path));
    if (at !== null && at <= receivedAt.getTime()) return new Date(at);
  }
  return receivedAt;
}

/** ISO text, or seconds since 1970 as in the body of a push. In milliseconds. */
function timeOf(value: Json | undefined): number | null {
  const at =
    typeof value === "string"
      ? Date.parse(value)
      : typeof value === "number"
        ? value * 1_000
        : Number.NaN;
  return at >= EARLIEST_MS ? at : null;
}

function textAt(body: JsonObject, path: readonly string[]): string | null {
  const value = valueAt(body, path);
  return typeof value === "string" ? value : null;
}

function valueAt(body: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = body;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  return value;
}
