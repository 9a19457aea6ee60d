/**
 * Why a job is not running, in the words of an operator. Pure: facts in, reasons out, the one that must go
 * first standing first. An old job that waits is a backlog, never "stuck": only its worker's beat says that.
 */
import { formatDuration } from "../base/duration.js";
import type { JobStatus } from "./job.js";
import type { PauseFact, WhyFacts } from "./why-facts.js";

export type ReasonCode =
  | Exclude<JobStatus, "pending" | "running">
  | "running"
  | "buffered"
  | "worker-silent"
  | "rolling-back"
  | "rollback-first"
  | "dependency-closed"
  | "not-due"
  | "kind-unknown"
  | "kind-disabled"
  | "all-paused"
  | "paused"
  | "safe-mode"
  | "no-worker"
  | "rate-limited"
  | "global-limit"
  | "cap-reached"
  | "slots-full"
  | "queued-behind"
  | "ready";

export interface Reason {
  /** Stable. */
  readonly code: ReasonCode;
  readonly sentence: string;
  /** What to do about it; null: nothing, it passes by itself. */
  readonly remedy: string | null;
  /** When it passes by itself, where that is known. */
  readonly until: Date | null;
}

/** Never empty: a job that nothing holds is `ready`. */
export function whyNotRunning(facts: WhyFacts): Reason[] {
  const { status } = facts.job;
  if (status === "running") return [ofRunning(facts)];
  if (status !== "pending") return [ofEnded(facts, status)];
  const reasons = PENDING.flatMap((judge) => judge(facts) ?? []);
  const told = reasons.length > 0 ? reasons : [READY];
  return facts.rollback === null ? told : [...told, rollbackFirst(facts.job, facts.rollback)];
}

/** Nothing that holds it, but what a person who retries it would wonder at. */
function rollbackFirst({ id }: WhyFacts["job"], { code }: { readonly code: string }): Reason {
  const sentence = `What it had half done is taken back first, since ${code}: its handler does not run, and then it fails as was decided.`;
  const remedy = `wait; when it has failed, algobrain jobs retry ${id} runs it anew`;
  return { code: "rollback-first", sentence, remedy, until: null };
}

const READY: Reason = {
  code: "ready",
  sentence: "Nothing holds it: a worker takes it within a moment.",
  remedy: null,
  until: null,
};

function ofEnded({ job }: WhyFacts, code: Exclude<JobStatus, "pending" | "running">): Reason {
  const when = job.completedAt === null ? "" : ` ${at(job.completedAt)}`;
  const why = job.error === null ? "" : `: ${job.error}`;
  const retry = `algobrain jobs retry ${job.id}`;
  const ends = {
    completed: [`It completed${when}.`, "make a new job to do the work again"],
    failed: [`It failed${when} for good${why}`, `correct the cause, then ${retry}`],
    quarantined: [
      `It is quarantined since${when}${why}`,
      `correct what the error names, then ${retry}`,
    ],
    cancelled: [`A person cancelled it${when}${why}`, `${retry}, if it is wanted after all`],
  } as const;
  const [sentence, remedy] = ends[code];
  return { code, sentence, remedy, until: null };
}

function ofRunning({ job, holder, rollback }: WhyFacts): Reason {
  const where = job.workerId ?? "an unknown worker";
  const since = job.startedAt === null ? "" : ` since ${utc(job.startedAt)}`;
  if (holder?.alive !== true) {
    const sentence = `It was running on ${where}${since}, but that process beats no more.`;
    const remedy =
      "wait: the leader gives its jobs to healing within seconds, if one leads (GET /health)";
    return { code: "worker-silent", sentence, remedy, until: null };
  }
  if (holder.begun === false) {
    const sentence = `${where} holds it${since} and starts it when one of its slots is free.`;
    return { code: "buffered", sentence, remedy: null, until: null };
  }
  if (rollback !== null) {
    const sentence = `${where} takes back what it had half done, since ${rollback.code}; its handler does not run.`;
    return { code: "rolling-back", sentence, remedy: null, until: null };
  }
  return { code: "running", sentence: `It runs on ${where}${since}.`, remedy: null, until: null };
}

type Judge = (facts: WhyFacts) => Reason | null;

/** What a person must end comes before what only takes time, and the whole before its parts. */
const PENDING: readonly Judge[] = [
  kindDisabled,
  allPaused,
  paused,
  safeMode,
  noWorker,
  dependencyClosed,
  notDue,
  rateLimited,
  globalLimit,
  capReached,
  slotsFull,
  queuedBehind,
];

function kindDisabled({ job, rules, internal }: WhyFacts): Reason | null {
  if (rules === null && !internal) {
    const sentence = `The policy in force does not know the type ${job.kind}.`;
    return {
      code: "kind-unknown",
      sentence,
      remedy: "cancel it, or add the type to workers.yaml",
      until: null,
    };
  }
  if (rules === null || rules.enabled) return null;
  const sentence = `The type ${job.kind} is switched off by the policy.`;
  const remedy = `set ${job.kind}.enabled to true in workers.yaml, by a pull request`;
  return { code: "kind-disabled", sentence, remedy, until: null };
}

function allPaused({ pauseOfAll }: WhyFacts): Reason | null {
  if (pauseOfAll === null) return null;
  const sentence = `All queues are paused ${pauseText(pauseOfAll)}`;
  return {
    code: "all-paused",
    sentence,
    remedy: "POST /api/queue/resume-all",
    until: pauseOfAll.until,
  };
}

function paused({ job, pause }: WhyFacts): Reason | null {
  if (pause === null) return null;
  const sentence = `The queue ${job.kind} is paused ${pauseText(pause)}`;
  const remedy = `POST /api/queue/${job.kind}/resume, or /algobrain resume-queue ${job.kind}`;
  return { code: "paused", sentence, remedy, until: pause.until };
}

function pauseText({ reason, by, until }: PauseFact): string {
  const end = until === null ? "until somebody resumes it" : `until ${utc(until)}`;
  return `by ${by} ${end}: ${reason}`;
}

function safeMode({ safeMode: mode }: WhyFacts): Reason | null {
  if (mode === null) return null;
  const sentence = `Safe mode is on (by ${mode.by ?? "nobody known"}: ${mode.reason ?? "no reason given"}); only repair, audit and alert jobs start.`;
  return {
    code: "safe-mode",
    sentence,
    remedy: "POST /api/v1/safe-mode/exit, after the cause is gone",
    until: null,
  };
}

function noWorker({ job, workers, rules }: WhyFacts): Reason | null {
  // One that is switched off is served by nobody anyway.
  if (workers > 0 || rules?.enabled === false) return null;
  const sentence = `No live worker process takes jobs of the type ${job.kind}.`;
  return {
    code: "no-worker",
    sentence,
    remedy: "start one: npm start, or serve --role worker",
    until: null,
  };
}

function dependencyClosed({ job, now, dependency }: WhyFacts): Reason | null {
  if (dependency === null || job.scheduledAt <= now) return null;
  const why = dependency.reason === null ? "" : ` (${dependency.reason})`;
  const sentence = `It waits for ${dependency.name}, which is left alone for now${why}; no attempt is burnt.`;
  const remedy =
    "GET /api/admin/circuit-breaker-status; when it is well again: reset-circuit-breaker, then retry";
  return { code: "dependency-closed", sentence, remedy, until: job.scheduledAt };
}

function notDue({ job, now, dependency }: WhyFacts): Reason | null {
  if (job.scheduledAt <= now || dependency !== null) return null;
  const inMs = job.scheduledAt.getTime() - now.getTime();
  const due = `It is due at ${utc(job.scheduledAt)}, in ${formatDuration(Math.ceil(inMs / 1_000) * 1_000)}`;
  const before =
    job.error === null ? "." : `, after attempt ${job.attempts} ended so: ${job.error}`;
  return { code: "not-due", sentence: due + before, remedy: null, until: job.scheduledAt };
}

function rateLimited({ job, rate, now }: WhyFacts): Reason | null {
  if (rate === null || rate.tokens >= 1) return null;
  const inMs = ((1 - rate.tokens) * rate.perMs) / rate.max;
  const sentence = `The type ${job.kind} may start ${rate.max} jobs in ${formatDuration(rate.perMs)}, and has.`;
  return {
    code: "rate-limited",
    sentence,
    remedy: `raise rateLimit of ${job.kind} in workers.yaml, if what it calls allows that`,
    until: new Date(now.getTime() + Math.ceil(inMs)),
  };
}

function globalLimit({ job, rules, running }: WhyFacts): Reason | null {
  const max = rules?.globalMax ?? null;
  if (max === null || running.ofKind < max) return null;
  const sentence = `Of the type ${job.kind} ${max} may run at once over all processes, and ${running.ofKind} do.`;
  const remedy = `wait, or raise globalMax of ${job.kind} in workers.yaml`;
  return { code: "global-limit", sentence, remedy, until: null };
}

function capReached({ cap, running, internal }: WhyFacts): Reason | null {
  if (internal || cap === null || running.inAll < cap) return null;
  const sentence = `The cap of ${cap} jobs over all types and processes is reached: ${running.inAll} run.`;
  const remedy = "wait, or raise ORCHESTRATOR_MAX_CONCURRENT_JOBS";
  return { code: "cap-reached", sentence, remedy, until: null };
}

function slotsFull({ job, rules, workers, running }: WhyFacts): Reason | null {
  if (rules === null || workers === 0) return null;
  const slots = rules.concurrency * workers;
  if (running.ofKind < slots) return null;
  const sentence = `All ${slots} slots for ${job.kind} are taken: ${rules.concurrency} in each of ${workers} live processes.`;
  const remedy = `wait, add worker processes, or raise concurrency of ${job.kind} in workers.yaml`;
  return { code: "slots-full", sentence, remedy, until: null };
}

function queuedBehind({ job, ahead }: WhyFacts): Reason | null {
  if (ahead === 0) return null;
  const those = ahead === 1 ? "comes one due job" : `come ${ahead} due jobs`;
  const sentence = `Before it ${those} of the type ${job.kind}.`;
  return {
    code: "queued-behind",
    sentence,
    remedy: "wait, or give it a higher priority",
    until: null,
  };
}

function utc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function at(time: Date): string {
  return `at ${utc(time)}`;
}
