/** Whether one JSON value is a part of another: the same keys with the same types, as far as it has any. */
import { isJsonObject } from "../../src/base/json.js";

/** Paths in `mine` that `theirs` does not have, or has with another type. Null fits everything: it says nothing. */
export function strangers(mine: unknown, theirs: unknown, path = "$"): string[] {
  if (mine === null || theirs === null) return [];
  if (Array.isArray(mine) && Array.isArray(theirs))
    return mine.length > 0 && theirs.length > 0 ? strangers(mine[0], theirs[0], `${path}[]`) : [];
  if (isJsonObject(mine) && isJsonObject(theirs))
    return Object.entries(mine).flatMap(([key, value]) =>
      key in theirs ? strangers(value, theirs[key], `${path}.${key}`) : [`${path}.${key}`],
    );
  return typeof mine === typeof theirs && !Array.isArray(mine) ? [] : [path];
}
