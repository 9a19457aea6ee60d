/** Foreign text on its way into a row: bounded, and without what jsonb cannot hold. */
const TEXT_MAX = 4_000;

/** Null for anything that is not text. */
export function storedText(value: unknown, max = TEXT_MAX): string | null {
  if (typeof value !== "string") return null;
  return value
    .slice(0, max)
    .replaceAll("\0", "")
    .replace(/\p{Surrogate}/gu, "\uFFFD");
}
