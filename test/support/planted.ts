import { isJsonObject, type Json, type JsonObject } from "../../src/base/json.js";

/** A copy with single values planted, by their paths: `resource/aws_ecs_service/api-service/name`. Missing objects are made. */
export function withPlanted(document: JsonObject, set: Readonly<Record<string, Json>>): JsonObject {
  const copy = structuredClone(document);
  for (const [path, value] of Object.entries(set)) {
    const keys = path.split("/");
    let place: JsonObject = copy;
    for (const key of keys.slice(0, -1)) {
      const next = place[key];
      if (isJsonObject(next)) place = next;
      else place = place[key] = {};
    }
    place[keys.at(-1)!] = value;
  }
  return copy;
}
