/**
 * Claims from a backlog where the claim before left off. What was claimed stays in the index while an old snapshot
 * stands, and a look from the front would step over all of it each time.
 */
import type { Sql } from "../store/database.js";
import {
  type ClaimedJob,
  type ClaimOptions,
  type ClaimPlace,
  claimJobs,
} from "../store/job-claims.js";

/** What came in before the mark (a higher priority, a job given back) waits for the next look from the front. */
const FRONT_EVERY_MS = 100;
/** The dearer that look is, the rarer: it takes no more than this share of the time, within a limit. */
const FRONT_SHARE = 0.05;
const FRONT_EVERY_MAX_MS = 2_000;

interface Mark {
  readonly place: ClaimPlace;
  /** Of the monotonic clock: then it is looked at from the front again. */
  readonly untilMs: number;
}

/** Jobs that were found, and how many of each kind were wanted. */
interface Answer {
  readonly claim: ClaimOptions;
  readonly jobs: readonly ClaimedJob[];
  readonly tookMs: number;
}

export class Backlog {
  /** Kinds of which the last claim found as many as it wanted. */
  readonly #marks = new Map<string, Mark>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** As `claimJobs`. A kind comes back short only if it was looked at from the front. */
  async claim(sql: Sql, options: ClaimOptions): Promise<ClaimedJob[]> {
    if (this.#marks.size === 0) return this.#claim(sql, options);
    const { kinds } = options;
    const marked = kinds.map((one) => ({ ...one, from: this.#placeOf(one.kind) }));
    const jobs = await this.#claim(sql, { ...options, kinds: marked });
    const left = marked
      .filter(({ kind, from }) => from !== null && !this.#marks.has(kind))
      .map(({ kind, free }) => ({ kind, free: free - countOf(jobs, kind) }));
    if (left.length === 0) return jobs;
    const more = await this.#claim(sql, {
      ...options,
      kinds: left,
      max: options.max - jobs.length,
    });
    return [...jobs, ...more];
  }

  async #claim(sql: Sql, claim: ClaimOptions): Promise<ClaimedJob[]> {
    const startMs = this.#monotonicMs();
    const isBacklog = claim.kinds.some(({ kind }) => this.#marks.has(kind));
    const jobs = await claimJobs(sql, { ...claim, isBacklog });
    this.#note({ claim, jobs, tookMs: this.#monotonicMs() - startMs });
    return jobs;
  }

  #placeOf(kind: string): ClaimPlace | null {
    const mark = this.#marks.get(kind);
    return mark !== undefined && this.#monotonicMs() < mark.untilMs ? mark.place : null;
  }

  #note({ claim: { kinds, max }, jobs, tookMs }: Answer): void {
    for (const { kind, free, from } of kinds) {
      const found = countOf(jobs, kind);
      const last = jobs.findLast((job) => job.kind === kind);
      // Others took all the room: nothing is known of this one.
      if (found < free && jobs.length >= max && last === undefined) continue;
      if (last === undefined || (found < free && jobs.length < max)) this.#marks.delete(kind);
      else this.#mark(kind, last, from ? null : tookMs);
    }
  }

  /** `frontMs`: how long the look from the front took; null if it was not one. */
  #mark(kind: string, place: ClaimPlace, frontMs: number | null): void {
    const everyMs = Math.max(FRONT_EVERY_MS, (frontMs ?? 0) / FRONT_SHARE);
    const untilMs =
      frontMs === null
        ? this.#marks.get(kind)!.untilMs
        : this.#monotonicMs() + Math.min(everyMs, FRONT_EVERY_MAX_MS);
    this.#marks.set(kind, { place, untilMs });
  }
}

function countOf(jobs: readonly ClaimedJob[], kind: string): number {
  return jobs.reduce((count, job) => count + Number(job.kind === kind), 0);
}
