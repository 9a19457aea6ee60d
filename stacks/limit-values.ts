/** How limits read what was synthesized: numbers, texts and blocks, as far as they are known before anything is made. */
import { isJsonObject, type Json, type JsonObject } from "../src/base/json.js";

/** Messages about the body of one resource; what is an expression is not known and passes. */
export type Limit = (body: JsonObject) => string[];

/** A block may stand alone or in a list. */
export function blocksOf(value: Json | undefined): JsonObject[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => isJsonObject(item));
}

/** Null for what is absent or an expression. */
export function numberOf(value: Json | undefined): number | null {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}

/** Null for what is absent or has an expression in it. */
export function textOf(value: Json | undefined): string | null {
  return typeof value === "string" && !value.includes("${") ? value : null;
}

/** A message when the number is known and lies outside. */
export function outside(
  what: string,
  value: Json | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): string[] {
  const number = numberOf(value);
  if (number === null || (number >= min && number <= max)) return [];
  return [`has ${what} of ${number}; AWS takes ${min} to ${max}`];
}

/** A message when two known numbers stand in the wrong order. */
export function descending(
  [lowName, low]: readonly [string, Json | undefined],
  [highName, high]: readonly [string, Json | undefined],
): string[] {
  const [a, b] = [numberOf(low), numberOf(high)];
  if (a === null || b === null || a <= b) return [];
  return [`has ${lowName} ${a} above ${highName} ${b}`];
}
