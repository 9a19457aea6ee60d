/**
 * How many tasks of a service may be missing or too many while it is deployed, in percent of what it should have: ECS rounds
 * the least up and the most down (ECS API reference, DeploymentConfiguration).
 */
import type { ServiceName } from "./services.js";

export interface Rolling {
  readonly minimumPercent: number;
  readonly maximumPercent: number;
}

/** New beside old, so that nobody who asks waits. */
const BESIDE: Rolling = { minimumPercent: 100, maximumPercent: 200 };
/**
 * The orchestrator is stopped before its successor starts: leadership is a lease, so two would be safe, but the handbook
 * wants one (HB-aws-03, X-08). Of the executor, too, one is enough.
 */
const ONE_AT_A_TIME: Rolling = { minimumPercent: 0, maximumPercent: 100 };

/**
 * @param min tasks that the service never has less of by itself
 * @param workersPercent of `infrastructure.deployment`: twice as many workers would take twice as many connections, which
 * the database does not have
 */
export function rollingOf(service: ServiceName, min: number, workersPercent: number): Rolling {
  if (service === "api") return BESIDE;
  if (service !== "workers") return ONE_AT_A_TIME;
  const maximumPercent = workersPercent;
  // Without a whole task in what may be more, some stop before others start.
  if (min * (workersPercent - 100) >= 100) return { ...BESIDE, maximumPercent };
  return { minimumPercent: min > 1 ? 50 : 0, maximumPercent };
}

/** Tasks at most at one moment, a deployment at full load included. */
export function tasksAtMost(
  service: ServiceName,
  { min, max }: Bounds,
  workersPercent: number,
): number {
  return Math.floor((max * rollingOf(service, min, workersPercent).maximumPercent) / 100);
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}
