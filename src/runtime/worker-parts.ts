/** The parts of a worker process, each made from its options: who it serves, how it beats, claims and runs. */
import { Fault } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import type { PolicySet } from "../policy/policy.js";
import { runsOlderEngine } from "../store/capacity.js";
import { declareCompensation } from "../store/compensations.js";
import type { Sql } from "../store/database.js";
import { readRollbacks } from "../store/job-rollbacks.js";
import { AttemptLog } from "./attempt-log.js";
import { Backlog } from "./backlog.js";
import { ClaimLimits } from "./claim-limits.js";
import { ClaimLoop, type ClaimLoopDeps } from "./claim-loop.js";
import { Completions } from "./completions.js";
import { type Emit, kindWorkerId } from "./events.js";
import { type Heartbeat, startHeartbeat } from "./heartbeat.js";
import { type KindLimit, KindLoad, type KindWant } from "./kind-load.js";
import { rulesOf } from "./kind-rules.js";
import { RunningJobs } from "./running-jobs.js";
import type { StartedJobs } from "./started-jobs.js";
import type { WorkerOptions } from "./worker-options.js";

/** Jobs of a kind that may wait in one process; a share of the limit of all, where there is one. */
const AHEAD_MAX = 2_000;
const AHEAD_SHARE = 0.5;
/** Room under a limit that is not used for so long goes back to the others. */
const SLACK_MS = 250;
/** Without hints, polling is all there is. */
const DEAF_POLL_MS = 100;
/** How soon it is noticed that a process of older software came or went. */
const OLDER_CHECK_MS = 5_000;
/** Thousands of jobs may wait for one database. */
const SETTLE_TOLD_MS = 5_000;

export function kindsServed(options: WorkerOptions): string[] {
  const handled = new Set(options.handlers.map(({ kind }) => kind));
  return options.registry
    .names(options.lane)
    .filter((kind) => handled.has(kind))
    .filter((kind) => options.kinds === null || options.kinds.includes(kind));
}

export function beat(options: WorkerOptions, workerId: string, started: StartedJobs): Heartbeat {
  const settings = {
    databaseUrl: options.databaseUrl,
    ssl: options.databaseSsl,
    workerId,
    deadAfterMs: options.policy().healing.workerDeadAfterMs,
    parentPid: options.parentPid,
    started: started.shared,
    evidencePath: started.path,
  };
  return startHeartbeat(settings, (why) => {
    options.emit({ event: "worker.heartbeat-lost", worker_id: workerId, why });
    options.onFatal(`heartbeat lost: ${why}`);
  });
}

/** What a worker process runs with, once it is registered. */
export interface Engine {
  readonly loop: ClaimLoop;
  readonly jobs: RunningJobs;
  readonly limits: ClaimLimits;
  readonly attempts: AttemptLog;
}

export interface EngineParts {
  readonly workerId: string;
  readonly processNumber: number;
  readonly kinds: readonly string[];
  readonly started: StartedJobs;
  /** Hints arrive. */
  readonly hears: () => boolean;
}

export function createEngine(options: WorkerOptions, parts: EngineParts): Engine {
  const globalCap = options.lane !== "general" ? null : options.globalCap;
  const aheadMax = globalCap === null ? AHEAD_MAX : Math.floor(globalCap * AHEAD_SHARE);
  const load = new KindLoad(aheadMax);
  const limits = new ClaimLimits({ workerId: parts.workerId, globalCap });
  const attempts = new AttemptLog({
    ...options,
    workerIdOf: (kind) => kindWorkerId(kind, parts.processNumber),
  });
  const loop: ClaimLoop = new ClaimLoop({
    ...claimLoopDeps(options, parts, load, limits),
    accept: (claimed) => jobs.accept(claimed),
  });
  const jobs: RunningJobs = runningJobs(options, parts, { load, limits, loop, attempts });
  return { loop, jobs, limits, attempts };
}

function claimLoopDeps(
  options: WorkerOptions,
  { workerId, kinds, hears }: EngineParts,
  load: KindLoad,
  limits: ClaimLimits,
): Omit<ClaimLoopDeps, "accept"> {
  const { db, clock } = options;
  const pollMaxMs = () => (hears() ? options.pollMaxMs : Math.min(options.pollMaxMs, DEAF_POLL_MS));
  const runsOlder = olderEngineWatch(options);
  const enabledLimits = limitsInForce(options, kinds);
  const backlog = new Backlog();
  /** When room was last of use. */
  let busyMs = Number.NEGATIVE_INFINITY;
  return {
    clock,
    pollMaxMs,
    wants: () => load.wants(enabledLimits()),
    claim: async (wants, max) => {
      const claim = async (sql: Sql) => {
        const allowed = limits.admit(sql, wants);
        const admitted = allowed instanceof Promise ? await allowed : allowed;
        const most = Math.min(max, admitted.max);
        const claiming = { workerId, kinds: admitted.kinds, max: most };
        const jobs = await backlog.claim(sql, claiming);
        await limits.claimed(sql, admitted, jobs);
        // A claim that finds nothing uses no room: else polling would keep it from the others for ever.
        if (jobs.length > 0) busyMs = performance.now();
        return { jobs, hungry: hungryKinds(wants, admitted.kinds, jobs, most) };
      };
      const older = runsOlder();
      if (!(typeof older === "boolean" ? older : await older)) return claim(db);
      limits.forget();
      return db.transaction(claim);
    },
    idle: async () => {
      if (!limits.hasSlack()) return pollMaxMs();
      const unusedMs = performance.now() - busyMs;
      if (unusedMs < SLACK_MS) return SLACK_MS - unusedMs;
      await limits.giveBack(db);
      return pollMaxMs();
    },
    onClaimFailed: (error) => options.emit({ event: "claim.failed", worker_id: workerId, error }),
  };
}

/** Those that got all that they were allowed, or were allowed less than they wanted. */
function hungryKinds(
  wants: readonly KindWant[],
  admitted: readonly KindWant[],
  jobs: readonly HeldJob[],
  most: number,
): string[] {
  const counts = new Map<string, number>();
  for (const { kind } of jobs) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return wants
    .filter(({ kind }) => {
      const allowed = admitted.find((one) => one.kind === kind)?.free ?? 0;
      return jobs.length >= most || (counts.get(kind) ?? 0) >= allowed;
    })
    .map(({ kind }) => kind);
}

/** Only under limits it matters, and then not at each claim: what is known is said at once. */
function olderEngineWatch({ db, policy }: WorkerOptions): () => boolean | Promise<boolean> {
  let knownMs = Number.NEGATIVE_INFINITY;
  let known = false;
  const ask = async () => {
    known = await runsOlderEngine(db, policy().healing.workerDeadAfterMs);
    knownMs = performance.now();
    return known;
  };
  return () => (performance.now() - knownMs < OLDER_CHECK_MS ? known : ask());
}

function limitOf({ policy }: WorkerOptions, kind: string): KindLimit {
  const { concurrency, globalMax, rateLimit } = rulesOf(policy(), kind);
  return { kind, concurrency, globalMax, rateLimit };
}

/** Of the kinds that are enabled; made anew only with a new policy. */
function limitsInForce(options: WorkerOptions, kinds: readonly string[]): () => KindLimit[] {
  let policy: PolicySet | null = null;
  let limits: KindLimit[] = [];
  return () => {
    const inForce = options.policy();
    if (inForce !== policy) {
      const enabled = kinds.filter((kind) => rulesOf(inForce, kind).enabled);
      limits = enabled.map((kind) => limitOf(options, kind));
      policy = inForce;
    }
    return limits;
  };
}

function runningJobs(
  options: WorkerOptions,
  { workerId, processNumber, started }: EngineParts,
  engine: Pick<Engine, "loop" | "limits" | "attempts"> & { readonly load: KindLoad },
): RunningJobs {
  const { load, limits, loop, attempts } = engine;
  const emit: Emit = (event) => {
    options.emit(event);
    if (event.event === "job.rescheduled") loop.hintAt(new Date(event.at));
  };
  return new RunningJobs({
    ...options,
    ...{ emit, load, started, attempts },
    handlers: new Map(options.handlers.map((handler) => [handler.kind, handler])),
    completions: new Completions(options.db),
    declare: async (job, name, input) => {
      await declareCompensation(options.db, { jobSeq: job.seq, name, input });
    },
    rollbackOf: async ({ seq }) => {
      const begun = (await readRollbacks(options.db, [seq])).get(seq);
      return begun === undefined ? null : new Fault(begun.faultKind, begun.code, begun.message);
    },
    rulesOf: (kind) => rulesOf(options.policy(), kind),
    workerIdOf: (kind) => kindWorkerId(kind, processNumber),
    onSettleFailed: tellNowAndThen(SETTLE_TOLD_MS, (error) =>
      options.emit({ event: "settle.failed", worker_id: workerId, error }),
    ),
    onRoom: (kind) => {
      if (loop.isHungry(kind) && load.wants([limitOf(options, kind)]).length > 0) loop.hint();
    },
    onReleased: (kind) => {
      limits.released(kind);
      if (limits.isShort()) loop.hasRoom();
    },
  });
}

function tellNowAndThen(everyMs: number, tell: (error: string) => void): (error: string) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (performance.now() - toldMs < everyMs) return;
    toldMs = performance.now();
    tell(error);
  };
}
