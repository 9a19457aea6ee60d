/** The keys of infrastructure.yaml by which things run: what they mean, and how a default would be written. */
import { formatDuration } from "../base/duration.js";
import { toMs } from "./resolve-duration.js";
import type { BalancerTimes, FrontendKept, Running, Tasks } from "./running.js";
import type { RawSection } from "./schema.js";

type Raw = RawSection<"infrastructure">;

export function resolveRunning(raw: Raw, defaults: Running): Running {
  return {
    tasks: resolveTasks(raw.tasks, defaults.tasks),
    balancer: resolveBalancer(raw.balancer, defaults.balancer),
    databaseTask: { ...defaults.databaseTask, ...raw.databaseTask },
    deployment: { ...defaults.deployment, ...raw.deployment },
    key: { ...defaults.key, ...raw.key },
    buckets: { ...defaults.buckets, ...raw.buckets },
  };
}

function resolveTasks(raw: Raw["tasks"] = {}, defaults: Tasks): Tasks {
  return {
    stopTimeoutS: seconds(raw.stopTimeout, defaults.stopTimeoutS),
    checkEveryS: seconds(raw.checkEvery, defaults.checkEveryS),
    checkTimeoutS: seconds(raw.checkTimeout, defaults.checkTimeoutS),
    checkTries: raw.checkTries ?? defaults.checkTries,
    startS: seconds(raw.start, defaults.startS),
  };
}

function resolveBalancer(raw: Raw["balancer"] = {}, defaults: BalancerTimes): BalancerTimes {
  return {
    drainS: seconds(raw.drain, defaults.drainS),
    graceS: seconds(raw.grace, defaults.graceS),
    checkEveryS: seconds(raw.checkEvery, defaults.checkEveryS),
    checkTimeoutS: seconds(raw.checkTimeout, defaults.checkTimeoutS),
    healthyAfter: raw.healthyAfter ?? defaults.healthyAfter,
    unhealthyAfter: raw.unhealthyAfter ?? defaults.unhealthyAfter,
  };
}

export function resolveFrontend<T extends FrontendKept>(raw: Raw["frontend"], defaults: T): T {
  const { cached, cachedAtMost, ...rest } = raw ?? {};
  return {
    ...{ ...defaults, ...rest },
    cachedS: seconds(cached, defaults.cachedS),
    cachedAtMostS: seconds(cachedAtMost, defaults.cachedAtMostS),
  };
}

function seconds(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : toMs(text) / 1000;
}

/** A section as people write it: `checkEveryS: 15` is `checkEvery: 15s`. */
export function asWritten(section: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(section).map(([key, value]) =>
      key.endsWith("S") ? [key.slice(0, -1), formatDuration(Number(value) * 1000)] : [key, value],
    ),
  );
}
