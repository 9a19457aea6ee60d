/** The worker's half of lent credentials: the newest that its supervisor told, and a request for others when they end. */
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import type { LentCredentials, LentGitHub, LentS3 } from "./lent-credentials.js";
import type { ParentLink } from "./parent-link.js";

export interface Borrower {
  /** Throws a refused Fault `GITHUB_NOT_CONFIGURED`, or a waiting one `CREDENTIALS_NOT_LENT`, which burns no attempt. */
  github(signal: AbortSignal): Promise<LentGitHub>;
  /** Null: not configured. Throws a waiting Fault `CREDENTIALS_NOT_LENT`. */
  s3(signal: AbortSignal): Promise<LentS3 | null>;
}

/** A request that begins now ends within it. */
const LASTS_MS = MINUTE_MS;
/** How long a job waits for an answer before it goes back into the queue. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 5_000;

export function createBorrower(link: ParentLink, clock: Clock): Borrower {
  let held: LentCredentials = {};
  /** Those who wait to be told. */
  const waiting = new Set<() => void>();
  link.onLent((lent) => {
    held = lent;
    for (const wake of waiting) wake();
  });

  async function borrow<T extends LentGitHub | LentS3>(
    pick: () => T | null | undefined,
    what: string,
    signal: AbortSignal,
  ): Promise<T | null> {
    const endsMs = clock.now().getTime() + PATIENCE_MS;
    for (let isFirst = true; ; isFirst = false) {
      const found = pick();
      if (found !== undefined && lasts(found, clock.now())) return found;
      const leftMs = endsMs - clock.now().getTime();
      if (leftMs <= 0 || signal.aborted) throw notLent(what);
      if (isFirst) link.askCredentials();
      await toldWithin(waiting, clock, leftMs, signal);
    }
  }

  return {
    github: async (signal) => {
      const lent = await borrow(() => held.github, "GitHub", signal);
      if (lent !== null) return lent;
      throw fault.refused("GITHUB_NOT_CONFIGURED", "there is no access to GitHub", {
        hint: "set GITHUB_TOKEN or the GITHUB_APP_* variables, or index a folder",
      });
    },
    s3: (signal) => borrow(() => held.s3, "the bucket of exports", signal),
  };
}

/** Whichever comes first; nothing of it stays behind. */
async function toldWithin(
  waiting: Set<() => void>,
  clock: Clock,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const told = new AbortController();
  const wake = () => told.abort();
  waiting.add(wake);
  await clock.sleep(ms, AbortSignal.any([signal, told.signal]));
  waiting.delete(wake);
}

function lasts(lent: LentGitHub | LentS3 | null, now: Date): boolean {
  if (lent === null || lent.expiresAt === null) return true;
  return lent.expiresAt.getTime() - now.getTime() > LASTS_MS;
}

function notLent(what: string) {
  return fault.waiting(
    "CREDENTIALS_NOT_LENT",
    `the supervisor has not lent credentials for ${what} yet`,
    {
      retryAfterMs: RETRY_MS,
      hint: "when it lasts, look for credentials.not-lent in the supervisor's log: it says why",
    },
  );
}
