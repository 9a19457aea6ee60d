/**
 * The supervisor's half of lent credentials: it has them made, tells each child that serves, and again before they end.
 * A child that asks is told at once what there is.
 */
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import {
  type CredentialsLent,
  type LentCredentials,
  type LentGitHub,
  type LentS3,
  toMessage,
} from "./lent-credentials.js";

export interface LenderOptions {
  /** Another one each time; null: not configured. May throw: it is asked again. */
  readonly github: (signal: AbortSignal) => Promise<LentGitHub | null>;
  /** As `github`. */
  readonly s3: (signal: AbortSignal) => Promise<LentS3 | null>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Lender {
  /** Tells this child now and before each end, until `end`. */
  serve(send: (message: CredentialsLent) => void): Loan;
  /** Nothing is made or told any more. */
  close(): Promise<void>;
}

export interface Loan {
  /** The child has none, or none that lasts. */
  ask(): void;
  end(): void;
}

/** A job that takes one now may use it for so long. */
const RENEW_BEFORE_MS = 10 * MINUTE_MS;
const RETRY_MS = 30_000;
/** One call with its deadline, with what an SDK does before it. */
const MAKE_MAX_MS = 30_000;
/** However often children ask: what could not be had is not asked for again before. */
const ASK_AGAIN_MS = 5_000;

export function createLender(options: LenderOptions): Lender {
  return new OpenLender(options);
}

class OpenLender implements Lender {
  readonly #options: LenderOptions;
  readonly #sends = new Set<(message: CredentialsLent) => void>();
  readonly #closed = new AbortController();
  #held: LentCredentials = {};
  #making: Promise<void> | null = null;
  #madeAtMs = Number.NEGATIVE_INFINITY;
  #renewing: Promise<void> | null = null;

  constructor(options: LenderOptions) {
    this.#options = options;
  }

  serve(send: (message: CredentialsLent) => void): Loan {
    this.#sends.add(send);
    this.#renewing ??= this.#renew();
    this.#tell([send]);
    return {
      ask: () => void this.#answer(send),
      end: () => void this.#sends.delete(send),
    };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#sends.clear();
    await this.#renewing;
  }

  async #answer(send: (message: CredentialsLent) => void): Promise<void> {
    await this.#make();
    if (this.#sends.has(send)) this.#tell([send]);
  }

  #tell(sends: Iterable<(message: CredentialsLent) => void>): void {
    if (Object.keys(this.#held).length === 0) return;
    const message = toMessage(this.#held);
    for (const send of sends) send(message);
  }

  async #renew(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#closed.signal.aborted) {
      await this.#make();
      this.#tell(this.#sends);
      await clock.sleep(this.#untilRenewalMs(), this.#closed.signal);
    }
  }

  #untilRenewalMs(): number {
    const nowMs = this.#nowMs();
    const ends = [this.#held.github, this.#held.s3].map((one) =>
      one === undefined ? nowMs : (one?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY),
    );
    const leftMs = Math.min(...ends) - RENEW_BEFORE_MS - nowMs;
    // Timers know no longer time than 24 days; looking once an hour costs nothing.
    return Math.min(Math.max(leftMs, RETRY_MS), 60 * MINUTE_MS);
  }

  /** Makes what is missing or ends soon; one at a time. */
  #make(): Promise<void> {
    this.#making ??= this.#makeOnce().finally(() => {
      this.#making = null;
    });
    return this.#making;
  }

  async #makeOnce(): Promise<void> {
    if (this.#nowMs() - this.#madeAtMs < ASK_AGAIN_MS) return;
    this.#madeAtMs = this.#nowMs();
    const { github, s3 } = this.#options;
    const [newGitHub, newS3] = await Promise.all([
      this.#one("github", this.#held.github, github),
      this.#one("s3", this.#held.s3, s3),
    ]);
    this.#held = {
      ...(newGitHub === undefined ? {} : { github: newGitHub }),
      ...(newS3 === undefined ? {} : { s3: newS3 }),
    };
  }

  async #one<T extends { readonly expiresAt: Date | null }>(
    name: string,
    held: T | null | undefined,
    lend: (signal: AbortSignal) => Promise<T | null>,
  ): Promise<T | null | undefined> {
    const endsMs = held?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    if (held !== undefined && endsMs - this.#nowMs() > RENEW_BEFORE_MS) return held;
    try {
      return await this.#within(lend);
    } catch (error) {
      this.#options.log.warn("credentials.not-lent", { name, error: errorMessage(error) });
      // What has not ended yet still serves.
      return endsMs > this.#nowMs() ? held : undefined;
    }
  }

  /** Ends in time, and when we close, also where the maker heeds no signal. */
  async #within<T>(lend: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const done = new AbortController();
    const ended = AbortSignal.any([done.signal, this.#closed.signal]);
    const late = this.#options.clock.sleep(MAKE_MAX_MS, ended).then(() => {
      throw new Error("it was not made in time");
    });
    late.catch(() => {
      // Also thrown when it was made in time, and nobody waits any more.
    });
    try {
      return await Promise.race([lend(ended), late]);
    } finally {
      done.abort();
    }
  }

  #nowMs(): number {
    return this.#options.clock.now().getTime();
  }
}
