/** Calendar days in UTC as texts (yyyy-mm-dd), which sort and compare as they are. */

export function utcDay(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** The last millisecond of the day. */
export function endOfDay(day: string): Date {
  return new Date(`${day}T23:59:59.999Z`);
}

/** False for what looks like a day but is none: 2026-02-30. */
export function isRealDay(day: string): boolean {
  const at = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && utcDay(at) === day;
}

/** Every day from the first to the last, both included; none when the last is before the first. */
export function daysOf(firstDay: string, lastDay: string): string[] {
  const days: string[] = [];
  const at = new Date(`${firstDay}T00:00:00Z`);
  for (let day = firstDay; day <= lastDay; day = utcDay(at)) {
    days.push(day);
    at.setUTCDate(at.getUTCDate() + 1);
  }
  return days;
}

/** Real days, the first not after the last. */
export interface DayRange {
  readonly firstDay: string;
  readonly lastDay: string;
  /** Null: all repositories. */
  readonly repoIds: readonly string[] | null;
}
