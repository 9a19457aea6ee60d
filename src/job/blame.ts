/**
 * Which jobs are charged with the death of their worker. Those that ran in an earlier death too are the
 * suspects; a process runs one of them at a time, so the next death is charged to it alone, and whoever
 * merely ran beside a killer goes free.
 */

interface Suspect {
  /** Number of the job. */
  readonly seq: number;
  /** How often it was charged before. */
  readonly crashCount: number;
}

/** `started`: jobs whose handler had started. Returns the numbers of those that are charged. */
export function blame(started: readonly Suspect[]): Set<number> {
  const most = Math.max(0, ...started.map(({ crashCount }) => crashCount));
  return new Set(started.filter(({ crashCount }) => crashCount === most).map(({ seq }) => seq));
}

/** What a process without a file has told of its jobs. */
export interface Told {
  /** Handlers that ran at its last beat. */
  readonly beaten: ReadonlySet<number>;
  /** Jobs that it took after that beat, in the order in which it would start them. */
  readonly since: readonly number[];
}

/**
 * Which of the jobs of a dead process had started, as far as anybody can tell: those that its last beat named, and of
 * those that it took afterwards as many as had a slot. More cannot have run: the others go free.
 */
export function startedAtDeath(
  held: readonly (Suspect & { readonly kind: string })[],
  { beaten, since }: Told,
  slotsOf: (kind: string) => number,
): Set<number> {
  const jobs = new Map(held.map((job) => [job.seq, job]));
  const started = new Set<number>();
  const running = new Map<string, number>();
  let runsSuspect = false;
  const start = ({ seq, kind, crashCount }: Suspect & { readonly kind: string }) => {
    started.add(seq);
    running.set(kind, (running.get(kind) ?? 0) + 1);
    runsSuspect ||= crashCount > 0;
  };
  for (const job of held) if (beaten.has(job.seq)) start(job);
  for (const seq of since) {
    const job = jobs.get(seq);
    if (job === undefined || started.has(seq)) continue;
    const hasSlot = (running.get(job.kind) ?? 0) < slotsOf(job.kind);
    if (hasSlot && !(runsSuspect && job.crashCount > 0)) start(job);
  }
  return started;
}
