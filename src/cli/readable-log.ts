/** A JSON log line as a person at a terminal reads it: time, level, event, then the fields. */
import { isJsonObject } from "../base/json.js";

export function readableLine(line: string): string {
  const parsed: unknown = JSON.parse(line);
  if (!isJsonObject(parsed)) return line;
  const { time, level, event, ...fields } = parsed;
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${String(event).padEnd(24)} ${rest.join(" ")}`.trimEnd();
}
