/** One loop claims for all kinds of a process: woken by hints, but true by polling (HB-env-09). */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import type { KindWant } from "./kind-load.js";
import { Wake } from "./wake.js";

export interface ClaimLoopDeps {
  readonly clock: Clock;
  /** Kinds that are enabled and have room now; asked before each claim, so that a new policy takes effect. */
  readonly wants: () => readonly KindWant[];
  readonly claim: (wants: readonly KindWant[], max: number) => Promise<Claimed>;
  readonly accept: (jobs: readonly HeldJob[]) => void;
  /** Nothing is to be claimed for the moment; returns how long to wait at most before it is called again. */
  readonly idle: () => Promise<number>;
  readonly onClaimFailed: (error: string) => void;
  /** The longest pause between two polls, as things are. */
  readonly pollMaxMs: () => number;
}

export interface Claimed {
  readonly jobs: readonly HeldJob[];
  /** Kinds of which there may be more: all that was wanted was there, or a limit stood in the way. */
  readonly hungry: readonly string[];
}

/** One statement holds the locks of its rows until its end, so it is kept short. */
const CLAIM_MAX = 1_000;
/** The first pause after work; it doubles while there is nothing to do. */
const POLL_MIN_MS = 50;

export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  readonly #wake: Wake;
  /** Kinds whose last claim took all that was wanted: when there is room again, there may be more. */
  #hungry = new Set<string>();
  /** When jobs that this process put back are due: they are not waited for until the next poll. */
  #dueMs: number[] = [];
  /** Of the wait under way. */
  #wakeMs = 0;
  #pauseMs = POLL_MIN_MS;
  /** Then it is not yet known who will be hungry. */
  #isClaiming = false;
  /** Waits for a hint or the next poll. */
  #isResting = false;
  /** Begun by the hint that ended the rest. */
  #begun: Promise<number> | null = null;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
    this.#wake = new Wake(deps.clock);
  }

  /** There may be jobs: whoever rests claims in the same turn, for that is what an idle queue waits for. */
  hint(): void {
    if (this.#isResting) this.#begin();
    else this.#wake.hint();
  }

  /** To end the rest takes as long as all that leads to the claim: for that there is time while the server looks. */
  #begin(): void {
    this.#isResting = false;
    this.#begun = this.#claimOnce();
    // Also when another hint has ended the rest meanwhile: this claim may not have seen what that one was about.
    void this.#begun.then(() => this.#wake.hint());
  }

  /** There will be jobs then. */
  hintAt(at: Date): void {
    this.#dueMs.push(at.getTime());
    if (at.getTime() < this.#wakeMs) this.#wake.hint();
  }

  isHungry(kind: string): boolean {
    return this.#hungry.has(kind);
  }

  /** A limit over all processes stood in the way, and does so no more. */
  hasRoom(): void {
    if (this.#hungry.size > 0 || this.#isClaiming) this.#wake.hint();
  }

  /** Until the signal aborts; a claim in flight is finished first. Never rejects. */
  async run(stopped: AbortSignal): Promise<void> {
    const end = () => this.#wake.hint();
    stopped.addEventListener("abort", end, { once: true });
    while (!stopped.aborted || this.#begun !== null) {
      const claimed = await this.#takeBegun();
      if (stopped.aborted) break;
      if (claimed >= CLAIM_MAX) continue;
      this.#pauseMs =
        claimed > 0 ? this.#pauseMinMs : Math.min(this.#pauseMs * 2, this.#deps.pollMaxMs());
      const hinted = await this.#wait();
      if (hinted) this.#pauseMs = this.#pauseMinMs;
    }
    stopped.removeEventListener("abort", end);
  }

  #takeBegun(): Promise<number> {
    const begun = this.#begun;
    this.#begun = null;
    return begun ?? this.#claimOnce();
  }

  /** True when there may be jobs: somebody said so, or one of ours is due. */
  async #wait(): Promise<boolean> {
    const { clock } = this.#deps;
    const atMostMs = await this.#beIdle();
    const nowMs = clock.now().getTime();
    const next = Math.min(...this.#dueMs);
    this.#wakeMs = Math.min(nowMs + Math.min(this.#pauseMs, atMostMs), Math.max(next, nowMs));
    this.#isResting = true;
    const hinted = await this.#wake.wait(this.#wakeMs - nowMs);
    this.#isResting = false;
    const wokenMs = clock.now().getTime();
    this.#dueMs = this.#dueMs.filter((due) => due > wokenMs);
    return hinted || next <= wokenMs;
  }

  async #beIdle(): Promise<number> {
    try {
      return this.#wake.isHinted() ? 0 : await this.#deps.idle();
    } catch (error) {
      this.#deps.onClaimFailed(errorMessage(error));
      return this.#deps.pollMaxMs();
    }
  }

  get #pauseMinMs(): number {
    return Math.min(POLL_MIN_MS, this.#deps.pollMaxMs());
  }

  /** Never rejects. */
  async #claimOnce(): Promise<number> {
    const { wants, claim, accept, onClaimFailed } = this.#deps;
    this.#isClaiming = true;
    try {
      const wanted = wants();
      this.#forgetHungry(wanted);
      if (wanted.length === 0) return 0;
      const { jobs, hungry } = await claim(wanted, CLAIM_MAX);
      for (const kind of hungry) this.#hungry.add(kind);
      accept(jobs);
      return jobs.length;
    } catch (error) {
      onClaimFailed(errorMessage(error));
      return 0;
    } finally {
      this.#isClaiming = false;
    }
  }

  /** Those that want nothing have no room: they call when they have, and so stay hungry. */
  #forgetHungry(wanted: readonly KindWant[]): void {
    for (const { kind } of wanted) this.#hungry.delete(kind);
  }
}
