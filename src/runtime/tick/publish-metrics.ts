/**
 * What the orchestrator tells AWS itself, so that what scales it and what watches it need nothing else of ours: each
 * minute the depth of the queues (HB-aws-09) and that it works, and its row of heartbeats (HB-cli-14, X-61).
 */
import { MINUTE_MS } from "../../base/duration.js";
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Database } from "../../store/database.js";
import { readQueueDepth } from "../../store/queue-stats.js";
import { countAliveWorkers } from "../../store/workers.js";
import type { CycleStep } from "../orchestrator.js";
import type { Tick } from "../ticker.js";

export interface PublishedPoint {
  readonly name: string;
  readonly value: number;
  readonly unit: "Count" | "None";
  readonly dimensions?: Readonly<Record<string, string>>;
}

/** AWS as far as the runtime speaks to it by itself; each call has a deadline of its own. */
export interface SignsToAws {
  putMetrics(namespace: string, at: Date, points: readonly PublishedPoint[]): Promise<void>;
  putHeartbeat(
    table: string,
    item: {
      readonly service: string;
      readonly at: Date;
      readonly leader: string;
      readonly cycle: number;
    },
  ): Promise<void>;
}

export interface PublishMetricsDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly policy: () => PolicySet;
  /** Of the lease: who leads. */
  readonly holder: string;
  readonly signs: SignsToAws;
}

const SERVICE = "orchestrator";
/** The watchdogs look for one that is older than 60 s (HB-cli-14). */
const ROW_EVERY_MS = 10_000;

/** The step is the last of the cycle, after the beat; the tick runs beside it. */
export function publishMetrics(deps: PublishMetricsDeps): { step: CycleStep; tick: Tick } {
  const cycles = { all: 0, published: 0 };
  const heartbeats = createHeartbeats(deps);
  return {
    step: {
      name: "beat-to-aws",
      run: async (now) => {
        cycles.all += 1;
        if (isOn(deps)) heartbeats.tell(now, cycles.all);
      },
    },
    tick: {
      name: "publish-metrics",
      everyMs: MINUTE_MS,
      aligned: true,
      run: async (now) => {
        if (!isOn(deps)) return;
        // Without a cycle that ended well the alarm of the dead man has to hear nothing.
        const isAlive = cycles.all > cycles.published;
        cycles.published = cycles.all;
        await publish(deps, now, isAlive);
      },
    },
  };
}

const isOn = ({ policy }: PublishMetricsDeps) => policy().monitoring.outlets.cloudwatch.enabled;

/** What AWS does not take is told and not tried again: the next minute has a point of its own. */
async function publish(deps: PublishMetricsDeps, now: Date, isAlive: boolean): Promise<void> {
  const { signs, policy, log } = deps;
  const points = await pointsOf(deps, isAlive);
  try {
    await signs.putMetrics(policy().infrastructure.namespace, now, points);
  } catch (error) {
    log.warn("aws.metrics-lost", { points: points.length, error: errorMessage(error) });
  }
}

async function pointsOf(
  { db, policy }: PublishMetricsDeps,
  isAlive: boolean,
): Promise<PublishedPoint[]> {
  const depth = (await readQueueDepth(db)).reduce((total, { due }) => total + due, 0);
  const workers = await countAliveWorkers(db, policy().healing.workerDeadAfterMs);
  // Due jobs, as the metric algobrain.jobs.pending has them. A total does not shrink with what is added to it; a share of each process does.
  const share = depth / Math.max(workers, 1);
  const points: PublishedPoint[] = [
    { name: "JobQueueDepth", value: depth, unit: "Count" },
    { name: "JobBacklogPerTask", value: share, unit: "Count" },
  ];
  if (isAlive)
    points.push({ name: "Heartbeat", value: 1, unit: "Count", dimensions: { service: SERVICE } });
  return points;
}

/** A slow AWS delays no cycle: one call is under way at most, and what comes meanwhile is left out. */
function createHeartbeats({ policy, log, holder, signs }: PublishMetricsDeps) {
  let toldAt = Number.NEGATIVE_INFINITY;
  let underWay = false;
  let failures = 0;
  let complainedAt = Number.NEGATIVE_INFINITY;
  const complain = (now: Date, error: unknown) => {
    failures += 1;
    if (now.getTime() - complainedAt < MINUTE_MS) return;
    complainedAt = now.getTime();
    log.warn("aws.heartbeat-lost", { failures, error: errorMessage(error) });
    failures = 0;
  };
  const send = async (now: Date, cycle: number) => {
    try {
      const item = { service: SERVICE, at: now, leader: holder, cycle };
      await signs.putHeartbeat(policy().infrastructure.heartbeatsTable, item);
    } catch (error) {
      complain(now, error);
    }
    underWay = false;
  };
  return {
    tell: (now: Date, cycle: number): void => {
      if (underWay || now.getTime() - toldAt < ROW_EVERY_MS) return;
      toldAt = now.getTime();
      underWay = true;
      void send(now, cycle);
    },
  };
}
