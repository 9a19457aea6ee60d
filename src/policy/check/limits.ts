/** Numbers that must fit one another: bounds, capacity, times, and what AWS accepts. */
import { formatDuration, HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { FARGATE_CPUS, fargateMemory, LOG_DAYS } from "../aws-limits.js";
import { ADOPTION_DEFAULTS } from "../defaults.js";
import { EXECUTOR_SCALING } from "../infrastructure-defaults.js";
import { RETENTION_DEFAULTS } from "../policy.js";
import { tasksAtMost } from "../rolling.js";
import { RUNNING_DEFAULTS, type TaskSize } from "../running.js";
import { SERVICES, type ServiceName } from "../services.js";
import {
  descend,
  durationOf,
  entriesOf,
  type Node,
  numberOf,
  type PolicyTree,
  problemAt,
} from "../tree.js";
import { show } from "./shape.js";

export function checkLimits(tree: PolicyTree): Problem[] {
  return [
    ...checkBounds(tree),
    ...checkConnections(tree),
    ...checkSizes(tree),
    ...checkWorkers(tree),
    ...checkHealing(tree),
    ...checkLogDays(tree),
    ...checkQuarantineWarning(tree),
    ...checkProbation(tree),
    ...checkExecutor(tree),
    ...checkDeadMan(tree),
  ];
}

/** `node` must not exceed `limit`. */
function checkAtMost(
  node: Node | undefined,
  limit: Node | undefined,
  limitName: string,
): Problem[] {
  const [value, most] = [amountOf(node), amountOf(limit)];
  if (!node || !limit || value === undefined || most === undefined || value <= most) return [];
  return [
    problemAt(node.place, `found ${show(node)}, expected at most ${limitName} (${show(limit)})`),
  ];
}

function amountOf(node: Node | undefined): number | undefined {
  return numberOf(node) ?? durationOf(node);
}

export function servicesOf(tree: PolicyTree): Node[] {
  return entriesOf(tree.get("scaling")).map(([, entry]) => entry.node);
}

function checkBounds(tree: PolicyTree): Problem[] {
  return servicesOf(tree).flatMap((service) => {
    const [min, desired, max] = ["min", "desired", "max"].map((key) => descend(service, key));
    return [
      ...checkAtMost(min, max, "max"),
      ...checkAtMost(min, desired, "desired"),
      ...checkAtMost(desired, max, "max"),
    ];
  });
}

/** Every task may fill its pool, also those that a deployment starts beside the others, and people must still get in. */
function checkConnections(tree: PolicyTree): Problem[] {
  const database = descend(tree.get("infrastructure"), "database");
  const workersPercent = workersPercentOf(tree);
  const most = descend(database, "connectionsMax");
  const numbers = [descend(database, "poolSize"), descend(database, "reserve"), most].map(numberOf);
  const scaling = tree.get("scaling");
  // There is one executor even where nobody has written it.
  const tasks = SERVICES.map((name) =>
    name === "executor" && !descend(scaling, name)
      ? tasksAtMost(name, EXECUTOR_SCALING, workersPercent)
      : tasksOf(name, descend(scaling, name), workersPercent),
  );
  const [pool, reserve, max] = numbers;
  if (!most || pool === undefined || reserve === undefined || max === undefined) return [];
  if (!tree.has("scaling") || tasks.includes(undefined)) return [];
  const total = tasks.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const needed = total * pool + reserve;
  return needed < max
    ? []
    : [
        problemAt(
          most.place,
          `found ${max}, expected more than ${needed}: ${total} tasks × poolSize ${pool} + reserve ${reserve} (X-58)`,
          "smaller pools, fewer tasks or a larger server",
        ),
      ];
}

function workersPercentOf(tree: PolicyTree): number {
  const node = descend(tree.get("infrastructure"), "deployment", "workersPercent");
  return numberOf(node) ?? RUNNING_DEFAULTS.deployment.workersPercent;
}

function tasksOf(
  name: ServiceName,
  service: Node | undefined,
  workersPercent: number,
): number | undefined {
  const [min, max] = ["min", "max"].map((key) => numberOf(descend(service, key)));
  return min === undefined || max === undefined
    ? undefined
    : tasksAtMost(name, { min, max }, workersPercent);
}

function checkSizes(tree: PolicyTree): Problem[] {
  const estate = tree.get("infrastructure");
  return [
    ...entriesOf(descend(estate, "services")).flatMap(([, { node }]) => checkSize(node)),
    ...checkSize(descend(estate, "databaseTask"), RUNNING_DEFAULTS.databaseTask),
  ];
}

/** @param otherwise what holds for the one of both that is left out */
function checkSize(task: Node | undefined, otherwise?: TaskSize): Problem[] {
  const [cpu, memory] = [descend(task, "cpu"), descend(task, "memoryMiB")];
  const units = numberOf(cpu) ?? otherwise?.cpu;
  const size = numberOf(memory) ?? otherwise?.memoryMiB;
  if (units === undefined) return [];
  const sizes = fargateMemory(units);
  if (cpu && sizes.length === 0)
    return [problemAt(cpu.place, `found ${units}, expected one of ${FARGATE_CPUS.join(", ")}`)];
  const node = memory ?? cpu;
  if (!node || size === undefined || sizes.includes(size)) return [];
  const expected =
    size < sizes[0]! || size > sizes.at(-1)!
      ? `${sizes[0]} to ${sizes.at(-1)}`
      : `one of ${sizes.join(", ")}`;
  const found = memory ? `${size}` : `memoryMiB ${size}`;
  return [problemAt(node.place, `found ${found}, expected ${expected} with cpu ${units}`)];
}

function checkWorkers(tree: PolicyTree): Problem[] {
  return entriesOf(tree.get("workers")).flatMap(([, entry]) =>
    checkAtMost(descend(entry.node, "concurrency"), descend(entry.node, "globalMax"), "globalMax"),
  );
}

function checkHealing(tree: PolicyTree): Problem[] {
  const backoff = descend(tree.get("healing"), "backoff");
  return checkAtMost(descend(backoff, "base"), descend(backoff, "cap"), "cap");
}

function checkLogDays(tree: PolicyTree): Problem[] {
  const node = descend(tree.get("retention"), "logs_retention_days");
  const days = numberOf(node);
  if (!node || days === undefined || LOG_DAYS.includes(days)) return [];
  const nearest = LOG_DAYS.reduce((best, candidate) =>
    Math.abs(candidate - days) < Math.abs(best - days) ? candidate : best,
  );
  return [
    problemAt(
      node.place,
      `found ${days}, expected a number of days that CloudWatch takes: ${LOG_DAYS.join(", ")}`,
      `the nearest is ${nearest}`,
    ),
  ];
}

/** Quarantined jobs wait for a person: whoever is told on the day they come has not been warned. */
function checkQuarantineWarning(tree: PolicyTree): Problem[] {
  const retention = tree.get("retention");
  const kept = descend(retention, "quarantined_jobs_retention_days");
  const warn = descend(retention, "quarantined_jobs_warn_days");
  const days = numberOf(kept);
  const warnDays = numberOf(warn) ?? RETENTION_DEFAULTS.quarantinedJobsWarnDays;
  if (!kept || days === undefined || warnDays < days) return [];
  return [
    problemAt(
      (warn ?? kept).place,
      `quarantined jobs would be about to go from their first day: they are kept ${days} days, and the warning comes ${warnDays} before (X-07)`,
      "make quarantined_jobs_warn_days less than quarantined_jobs_retention_days",
    ),
  ];
}

/** Who works with a new policy first is still watched when all do. */
function checkProbation(tree: PolicyTree): Problem[] {
  const node =
    descend(tree.get("adoption"), "canary") ?? descend(tree.get("adoption"), "probation");
  const canary = durationOf(descend(tree.get("adoption"), "canary")) ?? ADOPTION_DEFAULTS.canaryMs;
  const probation =
    durationOf(descend(tree.get("adoption"), "probation")) ?? ADOPTION_DEFAULTS.probationMs;
  if (!node || canary < probation) return [];
  return [
    problemAt(
      node.place,
      `found ${show(node)}, with which canary (${formatDuration(canary)}) is not shorter than probation (${formatDuration(probation)})`,
    ),
  ];
}

/** Runs are queued and locked by what they touch: a second process would only hold more rights (design 3). */
function checkExecutor(tree: PolicyTree): Problem[] {
  const executor = descend(tree.get("scaling"), "executor");
  return ["min", "desired", "max"].flatMap((key) => {
    const node = descend(executor, key);
    const count = numberOf(node);
    return !node || count === undefined || count === 1
      ? []
      : [problemAt(node.place, `found ${count}, expected 1: there is one executor`)];
  });
}

/** An alarm counts whole minutes; after an hour nobody would call it a dead man's switch. */
function checkDeadMan(tree: PolicyTree): Problem[] {
  const node = descend(tree.get("infrastructure"), "deadMan", "after");
  const ms = durationOf(node);
  if (!node || ms === undefined) return [];
  if (ms % MINUTE_MS === 0 && ms >= MINUTE_MS && ms <= HOUR_MS) return [];
  return [problemAt(node.place, `found ${show(node)}, expected whole minutes, 1m to 1h`)];
}
