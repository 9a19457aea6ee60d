/**
 * What a run changes in AWS it changes under its lease. No transaction of ours holds AWS, so the lease is asked for right
 * before each call that changes something, and the call ends before the lease does (docs/decisions/0066).
 */
import type { Clock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { isAwsRead } from "../runbook/aws-port.js";

/**
 * Milliseconds that are left of the lease under which this process holds its run. Throws when it holds it no longer: a
 * waiting Fault `RUN_LOST`, or a `RunStopped`.
 */
export type AwsLease = () => Promise<number>;

/** Part of what every call stands on. */
export interface Leased {
  /** Of the run, under which alone it changes anything; null: what asks is no run. */
  readonly lease: AwsLease | null;
  /** Milliseconds for one call. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface CallBounds {
  /** Milliseconds that the call may take. */
  readonly timeoutMs: number;
  /** Throws a waiting Fault `RUN_LOST` once they have passed: for the last moment before the request is sent. */
  confirm(): void;
}

/** Kept free at the end of a lease: for clocks that do not run alike, and for a request that is on its way. */
const SPARE_MS = 2_000;
/** What has less is not begun. */
const CALL_MS_MIN = 1_000;
/** For the answer to whose the run is. */
const ASK_MS = 5_000;

/** @param action `ecs:UpdateService` */
export async function boundsOf(ground: Leased, action: string): Promise<CallBounds> {
  const { lease, timeoutMs } = ground;
  if (lease === null || isAwsRead(action)) return { timeoutMs, confirm: () => {} };
  // What the answer took is part of what was left when it was given.
  const elapsed = startTiming(ground);
  const endsMs = (await askWithin(ground, lease, action)) - SPARE_MS;
  const leftMs = endsMs - elapsed();
  if (leftMs < CALL_MS_MIN) throw ended(action);
  return {
    timeoutMs: Math.min(timeoutMs, Math.floor(leftMs)),
    confirm: () => {
      if (elapsed() >= endsMs) throw ended(action);
    },
  };
}

/** Throws a transient Fault `RUN_LEASE_UNKNOWN` when the database does not say in time. */
async function askWithin(
  { clock }: Pick<Leased, "clock">,
  lease: AwsLease,
  action: string,
): Promise<number> {
  const answered = new AbortController();
  const late = async (): Promise<never> => {
    await clock.sleep(ASK_MS, answered.signal);
    throw fault.transient(
      "RUN_LEASE_UNKNOWN",
      `${action} was not asked for: the database did not say within ${ASK_MS} ms whose the run is`,
    );
  };
  try {
    return await Promise.race([lease(), late()]);
  } finally {
    answered.abort();
  }
}

/** By both clocks: one stands still while the machine sleeps, the other may be set back. */
function startTiming({ clock }: Pick<Leased, "clock">): () => number {
  const [ticksMs, dateMs] = [performance.now(), clock.now().getTime()];
  return () => Math.max(performance.now() - ticksMs, clock.now().getTime() - dateMs);
}

function ended(action: string) {
  return fault.waiting("RUN_LOST", `${action} was not asked for: the lease of the run ends`, {
    hint: "whoever holds the run next looks at what there is and goes on",
  });
}
