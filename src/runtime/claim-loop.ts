/** One loop claims for all kinds of a process: woken by hints, but true by polling (HB-env-09). */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import type { FreeSlots, KindLimit, Slots } from "./slots.js";
import { Wake } from "./wake.js";

export interface ClaimLoopDeps {
  readonly clock: Clock;
  readonly slots: Slots;
  /** Of the kinds that are enabled now; asked before each claim, so that a new policy takes effect. */
  readonly limits: () => readonly KindLimit[];
  readonly claim: (free: readonly FreeSlots[], max: number) => Promise<readonly HeldJob[]>;
  readonly start: (job: HeldJob) => void;
  readonly onClaimFailed: (error: string) => void;
  /** The longest pause between two polls. */
  readonly pollMaxMs: number;
}

/** Jobs at most in one statement: a claimed job that waits for its turn here could run elsewhere. */
const CLAIM_MAX = 100;
/** The first pause after work; it doubles while there is nothing to do. */
const POLL_MIN_MS = 50;

export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  readonly #wake: Wake;
  /** Kinds whose last claim took every free slot: when one is free again, there may be more. */
  #hungry = new Set<string>();
  /** When jobs that this process put back are due: they are not waited for until the next poll. */
  #dueMs: number[] = [];
  /** Of the wait under way. */
  #wakeMs = 0;
  #pauseMs: number;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
    this.#wake = new Wake(deps.clock);
    this.#pauseMs = this.#pauseMinMs;
  }

  /** There may be jobs. */
  hint(): void {
    this.#wake.hint();
  }

  /** There will be jobs then. */
  hintAt(at: Date): void {
    this.#dueMs.push(at.getTime());
    if (at.getTime() < this.#wakeMs) this.#wake.hint();
  }

  slotFree(kind: string): void {
    if (this.#hungry.has(kind)) this.#wake.hint();
  }

  /** Until the signal aborts; a claim in flight is finished first. Never rejects. */
  async run(stopped: AbortSignal): Promise<void> {
    const end = () => this.#wake.hint();
    stopped.addEventListener("abort", end, { once: true });
    while (!stopped.aborted) {
      const claimed = await this.#claimOnce();
      if (claimed >= CLAIM_MAX) continue;
      this.#pauseMs =
        claimed > 0 ? this.#pauseMinMs : Math.min(this.#pauseMs * 2, this.#deps.pollMaxMs);
      const hinted = await this.#wait();
      if (hinted) this.#pauseMs = this.#pauseMinMs;
    }
    stopped.removeEventListener("abort", end);
  }

  /** True when there may be jobs: somebody said so, or one of ours is due. */
  async #wait(): Promise<boolean> {
    const { clock } = this.#deps;
    const nowMs = clock.now().getTime();
    const next = Math.min(...this.#dueMs);
    this.#wakeMs = Math.min(nowMs + this.#pauseMs, Math.max(next, nowMs));
    const hinted = await this.#wake.wait(this.#wakeMs - nowMs);
    const wokenMs = clock.now().getTime();
    this.#dueMs = this.#dueMs.filter((due) => due > wokenMs);
    return hinted || next <= wokenMs;
  }

  get #pauseMinMs(): number {
    return Math.min(POLL_MIN_MS, this.#deps.pollMaxMs);
  }

  async #claimOnce(): Promise<number> {
    const { slots, limits, claim, start, onClaimFailed } = this.#deps;
    const open = limits();
    const free = slots.free(open);
    const busy = open.filter(({ kind }) => !free.some((one) => one.kind === kind));
    this.#hungry = new Set(busy.map(({ kind }) => kind));
    if (free.length === 0) return 0;
    try {
      const jobs = await claim(free, CLAIM_MAX);
      for (const job of jobs) start(job);
      for (const { kind, free: room } of free) {
        if (jobs.filter((job) => job.kind === kind).length >= room) this.#hungry.add(kind);
      }
      return jobs.length;
    } catch (error) {
      onClaimFailed(errorMessage(error));
      return 0;
    }
  }
}
