/** Small files of our own in JSON, of which a power cut may have left nothing or a half. */
import { isJsonObject, type JsonObject } from "../base/json.js";

/** Null: it is no JSON, or no object. */
export function parseObject(text: string): JsonObject | null {
  try {
    const found: unknown = JSON.parse(text);
    return isJsonObject(found) ? found : null;
  } catch {
    // Half a file is none.
    return null;
  }
}
