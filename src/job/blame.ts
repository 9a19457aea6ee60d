/**
 * Which jobs are charged with the death of their worker. Those that ran in an earlier death too are the
 * suspects; a process runs one of them at a time, so the next death is charged to it alone, and whoever
 * merely ran beside a killer goes free.
 */

interface Suspect {
  readonly seq: number;
  /** How often it was charged before. */
  readonly crashCount: number;
}

/** `started`: jobs whose handler had started. Returns the numbers of those that are charged. */
export function blame(started: readonly Suspect[]): Set<number> {
  const most = Math.max(0, ...started.map(({ crashCount }) => crashCount));
  return new Set(started.filter(({ crashCount }) => crashCount === most).map(({ seq }) => seq));
}
