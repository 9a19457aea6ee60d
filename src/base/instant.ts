/** Moments as people and programs write them. */

/** With a zone: a time without one means something else on each machine. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/** Of a text such as `2026-03-01T12:00:00Z`; null when it is none, also for a day that does not exist. */
export function parseInstant(text: string): Date | null {
  const instant = INSTANT.test(text) ? new Date(text) : null;
  return instant === null || Number.isNaN(instant.getTime()) ? null : instant;
}
