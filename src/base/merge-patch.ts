/** A change to a JSON value in the form of RFC 7396: what is named is replaced, null takes a key away. */
import { isJsonObject, type Json, type JsonObject } from "./json.js";

export function mergePatch(target: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    // Not by assignment: a key such as `__proto__` must be a key like any other.
    else
      Object.defineProperty(merged, key, {
        ...{ enumerable: true, configurable: true, writable: true },
        value: mergePatch(Object.hasOwn(merged, key) ? merged[key]! : null, value),
      });
  }
  return merged;
}

export interface Changed {
  /** JSON pointer (RFC 6901). */
  readonly pointer: string;
  /** Undefined: it was not there, or is there no more. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/** Where two JSON values differ, in the order of the keys; arrays are compared as a whole. */
export function differences(before: Json, after: Json, pointer = ""): Changed[] {
  if (!isJsonObject(before) || !isJsonObject(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ pointer, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const place = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const [old, now] = [before, after].map((it) => (Object.hasOwn(it, key) ? it[key] : undefined));
    if (old === undefined || now === undefined)
      return [{ pointer: place, before: old, after: now }];
    return differences(old, now, place);
  });
}
