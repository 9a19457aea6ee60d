/** What we read of a GitHub webhook body; all else is kept as it came. Foreign text: nothing is taken on trust. */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { parseRemote, repoId } from "./remote.js";

/** The repository an event speaks of; null for events of an organisation, and for what we cannot read. */
export function eventRepoId(body: JsonObject): string | null {
  const remote =
    textAt(body, ["repository", "clone_url"]) ?? textAt(body, ["repository", "html_url"]);
  if (remote === null || parseRemote(remote) === null) return null;
  return repoId({ remote, path: "" });
}

/** The places that say when it happened, best first. */
const TIMES = [
  ["head_commit", "timestamp"],
  ["release", "published_at"],
  ["pull_request", "updated_at"],
  ["issue", "updated_at"],
  ["comment", "updated_at"],
  ["repository", "updated_at"],
] as const;

/** When it happened, as far as the body says; else when it came. */
export function eventTime(body: JsonObject, receivedAt: Date): Date {
  for (const path of TIMES) {
    const text = textAt(body, path);
    const at = text === null ? null : new Date(text);
    if (at !== null && !Number.isNaN(at.getTime())) return at;
  }
  return receivedAt;
}

function textAt(body: JsonObject, path: readonly string[]): string | null {
  let value: Json | undefined = body;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  return typeof value === "string" ? value : null;
}
