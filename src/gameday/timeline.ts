/**
 * What the game day prints, and how it knows: an act is a story, a claim is a fact read back from state.
 * A claim that does not come true before its deadline ends the game day with exit code 1.
 */
import type { Clock } from "../base/clock.js";

const POLL_MS = 50;

export interface Claim {
  readonly act: string;
  readonly text: string;
  /** What was read, in words; null when the claim did not come true. */
  readonly evidence: string | null;
  /** Milliseconds since the game day began. */
  readonly atMs: number;
  /** Milliseconds that the claim took to come true. */
  readonly tookMs: number;
}

class ClaimFailed extends Error {
  override readonly name = "ClaimFailed";
}

export class Timeline {
  readonly claims: Claim[] = [];
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #startedAtMs: number;
  #act = "";

  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock;
    this.#write = write;
    this.#startedAtMs = clock.now().getTime();
  }

  get elapsedMs(): number {
    return this.#clock.now().getTime() - this.#startedAtMs;
  }

  /** Opens an act: `(a) this checkout is indexed`. */
  act(letter: string, title: string): void {
    this.#act = letter;
    this.#write("");
    this.#write(`(${letter}) ${title}`);
  }

  /** Something that was done or seen, without a claim. */
  note(text: string): void {
    this.#write(`  ${this.#stamp()}        · ${text}`);
  }

  /**
   * Polls `read` until it returns what it saw, in words. Throws ClaimFailed after `withinMs`.
   */
  async verify(
    text: string,
    read: () => Promise<string | null> | string | null,
    withinMs = 30_000,
  ): Promise<string> {
    const beganMs = this.elapsedMs;
    for (;;) {
      const evidence = await read();
      const tookMs = this.elapsedMs - beganMs;
      if (evidence !== null) {
        this.#record({ act: this.#act, text, evidence, atMs: this.elapsedMs, tookMs });
        return evidence;
      }
      if (tookMs > withinMs) {
        this.#record({ act: this.#act, text, evidence: null, atMs: this.elapsedMs, tookMs });
        throw new ClaimFailed(`not true after ${seconds(withinMs)}: ${text}`);
      }
      await this.#clock.sleep(POLL_MS);
    }
  }

  #record(claim: Claim): void {
    this.claims.push(claim);
    const took = `+${seconds(claim.tookMs)}`.padStart(7);
    const verdict = claim.evidence === null ? "NOT TRUE" : `✓ ${claim.text}`;
    const said = claim.evidence === null ? claim.text : claim.evidence;
    this.#write(`  ${this.#stamp()} ${took} ${verdict}: ${said}`);
  }

  #stamp(): string {
    return seconds(this.elapsedMs).padStart(7);
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}
