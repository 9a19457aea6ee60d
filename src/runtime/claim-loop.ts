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
  /** The first of them. */
  #nextDueMs = Number.POSITIVE_INFINITY;
  /** Of the wait under way. */
  #wakeMs = 0;
  #pauseMs = POLL_MIN_MS;
  /** Then it is not yet known who will be hungry. */
  #isClaiming = false;
  /** Waits for a hint or the next poll. */
  #isResting = false;
  /** Begun by the hint that ended the rest. */
  #begun: Promise<number> | null = null;
  /** Somebody hinted since the last claim began. */
  #isHinted = false;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
    this.#wake = new Wake(deps.clock);
  }

  /** There may be jobs: whoever rests claims in the same turn, for that is what an idle queue waits for. */
  hint(): void {
    if (this.#isResting) this.#begin();
    else this.#claimAgain();
  }

  #claimAgain(): void {
    this.#isHinted = true;
    this.#wake.hint();
  }

  /** To end the rest takes as long as all that leads to the claim: for that there is time while the server looks. */
  #begin(): void {
    this.#isResting = false;
    const begun = this.#claimOnce();
    this.#begun = begun;
    // Unless the rest has ended meanwhile, by another hint or its time.
    void begun.then(() => {
      if (this.#begun === begun) this.#wake.hint();
    });
  }

  /** There will be jobs then. */
  hintAt(at: Date): void {
    const dueMs = at.getTime();
    this.#dueMs.push(dueMs);
    this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    if (dueMs < this.#wakeMs) this.#wake.hint();
  }

  isHungry(kind: string): boolean {
    return this.#hungry.has(kind);
  }

  /** A limit over all processes stood in the way, and does so no more. */
  hasRoom(): void {
    if (this.#hungry.size > 0 || this.#isClaiming) this.#claimAgain();
  }

  /** Until the signal aborts; a claim in flight is finished first. Never rejects. */
  async run(stopped: AbortSignal): Promise<void> {
    const end = () => {
      this.#isResting = false;
      this.#wake.hint();
    };
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

  async #takeBegun(): Promise<number> {
    const begun = this.#begun;
    this.#begun = null;
    const claimed = await (begun ?? this.#claimOnce());
    // The end of the rest may have used up a hint that came after the claim: it has not seen what that was about.
    if (this.#isHinted) this.#wake.hint();
    return claimed;
  }

  /** True when there may be jobs: somebody said so, or one of ours is due. */
  async #wait(): Promise<boolean> {
    const { clock } = this.#deps;
    const atMostMs = await this.#beIdle();
    const nowMs = clock.now().getTime();
    const next = this.#nextDueMs;
    this.#wakeMs = Math.min(nowMs + Math.min(this.#pauseMs, atMostMs), Math.max(next, nowMs));
    this.#isResting = true;
    const hinted = await this.#wake.wait(this.#wakeMs - nowMs);
    this.#isResting = false;
    return hinted || next <= clock.now().getTime();
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
    this.#isHinted = false;
    this.#forgetDue();
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

  /** The claim that begins now sees those that are due; one that began before may not have seen them. */
  #forgetDue(): void {
    const nowMs = this.#deps.clock.now().getTime();
    if (this.#nextDueMs > nowMs) return;
    this.#dueMs = this.#dueMs.filter((due) => due > nowMs);
    // There may be more of them than a call takes arguments.
    this.#nextDueMs = this.#dueMs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }

  /** Those that want nothing have no room: they call when they have, and so stay hungry. */
  #forgetHungry(wanted: readonly KindWant[]): void {
    for (const { kind } of wanted) this.#hungry.delete(kind);
  }
}
