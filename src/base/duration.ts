/** Durations as people write them ("90s", "5m", "1h30m") and as code uses them (milliseconds). */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const UNIT_MS = { ms: 1, s: 1_000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS } as const;
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

/** How long ago, for people: whole seconds, as the rest is noise. 61417 → `1m1s`. */
export function formatAge(ms: number): string {
  return formatDuration(Math.floor(Math.max(ms, 0) / 1_000) * 1_000);
}
