/** Which tokens were taken back, as this process knows it: never older than a second while the database answers. */
import type { Clock } from "../base/clock.js";
import type { Sql } from "../store/database.js";
import { readRevokedTokens } from "../store/revoked-tokens.js";

const FRESH_MS = 1_000;

export class RevocationList {
  readonly #sql: Sql;
  readonly #clock: Clock;
  #revoked: ReadonlySet<string> = new Set();
  /** Of the newest attempt. Its failure stands for as long as a success would. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #answer: Promise<void> = Promise.resolve();
  #isAsking = false;

  constructor(sql: Sql, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
  }

  /**
   * While the database does not answer: what was known last, or with `certain` what it threw. Who may do
   * everything must not keep a stolen token by taking the database down.
   */
  async has(tokenId: string, certain: boolean): Promise<boolean> {
    try {
      await this.#refresh();
    } catch (error) {
      if (certain) throw error;
    }
    return this.#revoked.has(tokenId);
  }

  #refresh(): Promise<void> {
    const nowMs = this.#clock.now().getTime();
    const ageMs = nowMs - this.#askedAtMs;
    // A clock that was set back makes no list young.
    const isFresh = ageMs >= 0 && ageMs < FRESH_MS;
    if (isFresh || this.#isAsking) return this.#answer;
    this.#askedAtMs = nowMs;
    this.#isAsking = true;
    this.#answer = this.#read().finally(() => {
      this.#isAsking = false;
    });
    return this.#answer;
  }

  async #read(): Promise<void> {
    this.#revoked = new Set(await readRevokedTokens(this.#sql));
  }
}
