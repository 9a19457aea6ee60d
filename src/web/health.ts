/**
 * What /health says (HB-api-01, X-60). The report is made by the runtime; here it is asked for at most
 * once at a time and with a deadline, because anyone may call.
 */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";

export interface HealthReport {
  /** `unhealthy` only when database or orchestrator is down (design 8.6): it alone makes a 503. */
  readonly status: "healthy" | "degraded" | "unhealthy";
  /** ISO 8601. */
  readonly timestamp: string;
  /** `database`, `redis`, `orchestrator` as words such as `up`; `workers` as a number. */
  readonly services: object;
  /** Why, when it is not healthy. More keys may follow: all are shown. */
  readonly reason?: string;
}

const DEADLINE_MS = 5_000;

/** The same function, shared by callers that come while it runs, and never later than five seconds. */
export function boundedHealth(
  health: () => Promise<HealthReport>,
  clock: Clock,
): () => Promise<HealthReport> {
  let running: Promise<HealthReport> | null = null;
  return () => {
    running ??= withDeadline(health, clock).finally(() => {
      running = null;
    });
    return running;
  };
}

async function withDeadline(
  health: () => Promise<HealthReport>,
  clock: Clock,
): Promise<HealthReport> {
  const done = new AbortController();
  const late = clock
    .sleep(DEADLINE_MS, done.signal)
    .then(() => unknownHealth(clock, `no answer within ${DEADLINE_MS} ms`));
  try {
    return await Promise.race([health(), late]);
  } catch (error) {
    return unknownHealth(clock, errorMessage(error));
  } finally {
    done.abort();
  }
}

/** A report that could not be made is bad news, not no news. */
function unknownHealth(clock: Clock, reason: string): HealthReport {
  return {
    status: "unhealthy",
    timestamp: clock.now().toISOString(),
    services: {},
    reason: `the health report failed: ${reason}`,
  };
}
