/** Durations as people write them ("90s", "5m", "1h30m") and as code uses them (milliseconds). */
const UNIT_MS = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const;
type Unit = keyof typeof UNIT_MS;

const WHOLE = /^(?:\d+(?:ms|[smhdw]))+$/;
const PART = /(\d+)(ms|[smhdw])/g;

/** Milliseconds of a text such as `5m`, `90s`, `1h30m`; null when it is not a duration. */
export function parseDuration(text: string): number | null {
  if (!WHOLE.test(text)) return null;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(PART))
    totalMs += Number(count) * UNIT_MS[unit as Unit];
  return Number.isSafeInteger(totalMs) ? totalMs : null;
}

/** The shortest exact text of a duration: 90000 → `1m30s`. Zero is `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = Math.round(Math.abs(ms));
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / UNIT_MS[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * UNIT_MS[unit];
  }
  return ms < 0 ? `-${text}` : text;
}
