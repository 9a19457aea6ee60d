/** A duration as it is written, in milliseconds, for texts that the checks have let through. */
import { assert } from "../base/assert.js";
import { parseDuration } from "../base/duration.js";

export function toMs(text: string): number {
  const ms = parseDuration(text);
  assert(ms !== null, `"${text}" passed the checks and is no duration`);
  return ms;
}

/** @param otherwise milliseconds, where nothing is written */
export function toMsOr(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : toMs(text);
}
