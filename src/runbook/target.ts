/** Targets that runs hold: `job-17`, `queue-index`, `queues`. One may stand for others. */

/**
 * A target that stands for others, by the patterns of these (`%` ends one): who holds it holds them, and the other
 * way round. What is not named here stands for itself alone; a backup (`database-backup`) hinders nobody's work on
 * the database.
 */
export const WHOLES: Readonly<Record<string, readonly string[]>> = {
  queues: ["queue-%"],
  database: ["table-%", "sessions"],
};

export function isPartOf(target: string, whole: string): boolean {
  return (WHOLES[whole] ?? []).some((part) =>
    part.endsWith("%") ? target.startsWith(part.slice(0, -1)) : target === part,
  );
}

/** Whether some target of the one is the same as, a part of, or the whole of one of the other. */
export function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some((one) =>
    others.some((other) => one === other || isPartOf(one, other) || isPartOf(other, one)),
  );
}
