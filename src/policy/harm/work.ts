/** Work that would stop or crawl, and healing that would end. */
import { formatDuration, MINUTE_MS } from "../../base/duration.js";
import type { PolicySet, WorkerKind } from "../policy.js";
import type { Held, HoldReason } from "./held.js";

/** What falls below this share of what it was is held. */
const LEAST_SHARE = 1 / 4;
const TIMEOUT_SHARE = 1 / 10;
const CRASHES_FACTOR = 3;
const DEAD_AFTER_FACTOR = 10;

export function findWorkHarm(before: PolicySet, after: PolicySet): Held[] {
  return [
    ...findStoppedKinds(before, after),
    ...findSlowKinds(before, after),
    ...findFewWorkers(before, after),
    ...findHealingOff(before, after),
  ];
}

function hold(reason: HoldReason, subject: string, sentence: string): Held {
  return { reason, subject, sentence };
}

function enabledOf({ workers }: PolicySet): WorkerKind[] {
  return Object.values(workers).filter(({ enabled }) => enabled);
}

function findStoppedKinds(before: PolicySet, after: PolicySet): Held[] {
  const were = enabledOf(before);
  const stopped = were.filter(({ kind }) => after.workers[kind]?.enabled !== true);
  if (stopped.length === 0 || stopped.length <= were.length / 2) return [];
  const names = stopped.map(({ kind }) => kind).join(", ");
  return [
    hold("work-stops", "workers", `${stopped.length} of ${were.length} kinds would stop: ${names}`),
  ];
}

function findSlowKinds(before: PolicySet, after: PolicySet): Held[] {
  return enabledOf(after).flatMap((is) => {
    const was = before.workers[is.kind];
    if (!was?.enabled) return [];
    const [slots, room] = [roomOf(was), roomOf(is)];
    const subject = `workers.${is.kind}`;
    if (room < slots * LEAST_SHARE)
      return [hold("work-stops", subject, `${subject}: ${room} jobs at once instead of ${slots}`)];
    if (is.timeoutMs < was.timeoutMs * TIMEOUT_SHARE) {
      const times = `${formatDuration(is.timeoutMs)} instead of ${formatDuration(was.timeoutMs)}`;
      return [hold("work-stops", subject, `${subject}: jobs would be ended after ${times}`)];
    }
    const perMinute = startsOf(is);
    if (perMinute >= Math.min(was.target.perMinute, startsOf(was)) * LEAST_SHARE) return [];
    const sentence = `${subject}: ${perMinute} starts a minute, the target is ${was.target.perMinute}`;
    return [hold("work-stops", subject, sentence)];
  });
}

/** Jobs at once in one process, or over all of them where that is less. */
function roomOf({ concurrency, globalMax }: WorkerKind): number {
  return Math.min(concurrency, globalMax ?? concurrency);
}

function startsOf({ rateLimit }: WorkerKind): number {
  return rateLimit === null ? Infinity : (rateLimit.max * MINUTE_MS) / rateLimit.perMs;
}

function findFewWorkers(before: PolicySet, after: PolicySet): Held[] {
  const [was, is] = [before.scaling.workers.max, after.scaling.workers.max];
  if (is >= was * LEAST_SHARE) return [];
  return [
    hold("work-stops", "scaling.workers.max", `at most ${is} worker tasks instead of ${was}`),
  ];
}

function findHealingOff({ healing: was }: PolicySet, { healing: is }: PolicySet): Held[] {
  const off = (subject: string, sentence: string) => hold("healing-off", subject, sentence);
  const found: Held[] = [];
  if (was.enabled && !is.enabled)
    found.push(off("healing.enabled", "failed jobs would wait for people, none would be retried"));
  if (is.crashMax > CRASHES_FACTOR * was.crashMax) {
    const sentence = `a job could kill ${is.crashMax} workers before it is put aside, instead of ${was.crashMax}`;
    found.push(off("healing.crashMax", sentence));
  }
  if (is.workerDeadAfterMs > DEAD_AFTER_FACTOR * was.workerDeadAfterMs) {
    const times = `${formatDuration(is.workerDeadAfterMs)} instead of ${formatDuration(was.workerDeadAfterMs)}`;
    found.push(off("healing.workerDeadAfter", `jobs of a dead worker would wait ${times}`));
  }
  if (was.strategies.critical === "escalate" && is.strategies.critical !== "escalate")
    found.push(off("healing.strategies.critical", "a critical failure would escalate to nobody"));
  return found;
}
