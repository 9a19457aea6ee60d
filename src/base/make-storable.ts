/**
 * Foreign JSON as a jsonb column can hold it. For what must be kept although nobody can be asked to send it again:
 * what findUnstorable would refuse is replaced instead.
 */
import { isJsonObject, type Json, type JsonObject } from "./json.js";
import { DEPTH_MAX, POISONOUS_KEYS } from "./storable.js";

/** U+FFFD, the sign for what could not be read. */
const REPLACEMENT = "\uFFFD";
/** With the u flag a pair is one character, so only a lone half is a Surrogate. */
const LONE_HALF = /\p{Surrogate}/gu;

export function makeStorable(root: JsonObject): JsonObject {
  const made = storable(root, 0);
  return isJsonObject(made) ? made : {};
}

function storable(value: Json, depth: number): Json {
  if (typeof value === "string") return storableText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return null;
  if (Array.isArray(value)) return value.map((item) => storable(item, depth + 1));
  const entries = Object.entries(value)
    .filter(([key]) => !POISONOUS_KEYS.includes(key))
    .map(([key, item]) => [storableText(key), storable(item, depth + 1)]);
  return Object.fromEntries(entries) as JsonObject;
}

function storableText(text: string): string {
  return text.replaceAll("\u0000", REPLACEMENT).replace(LONE_HALF, REPLACEMENT);
}
