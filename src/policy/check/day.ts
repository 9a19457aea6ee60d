/** Days as policies write them: `2026-12-31`, in UTC. */
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Whether there is such a day: there is no 30th of February. */
export function isDay(text: string): boolean {
  return DAY.test(text) && dayAfter(text, 0) === text;
}

/** The day so many days later; "" for what is no day. */
export function dayAfter(day: string, days: number): string {
  const [year, month, date] = day.split("-").map(Number) as [number, number, number];
  const moment = new Date(Date.UTC(year, month - 1, date + days));
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString().slice(0, 10);
}
