/** What holds where infrastructure.yaml says nothing: the smallest estate that is safe to run. */
import { MINUTE_MS } from "../base/duration.js";
import type { PlanReview } from "./plan-review.js";
import { FRONTEND_KEPT, IMAGES_KEPT, RUNNING_DEFAULTS } from "./running.js";
import type { Infrastructure, ServiceScaling, ServiceSize } from "./services.js";

/** One process, and while it is replaced none: what it was doing is taken up again. */
export const EXECUTOR_SCALING: ServiceScaling = { min: 1, max: 1, desired: 1, policies: [] };
export const EXECUTOR_SIZE: ServiceSize = { cpu: 512, memoryMiB: 1024 };

export const REVIEW_DEFAULTS: PlanReview = {
  budgets: {
    deletes: 0,
    replaces: 0,
    changesPercent: 30,
    statefulDeletes: 0,
    capacityGrowthPercent: 100,
    alarmsRemoved: 2,
  },
  drift: { classes: {}, heals: 3, proposals: 5 },
};

/** What came after the first landing: all of it may be left out. */
export type LaterInfrastructure = Omit<
  Infrastructure,
  "region" | "cluster" | "namespace" | "services" | "exportsBucket" | "database"
>;

/** Names are made of the cluster's, so that two environments of one account do not meet. */
export function infrastructureDefaults(cluster: string, environment: string): LaterInfrastructure {
  return {
    account: null,
    azs: 2,
    network: { cidr: "10.40.0.0/16", nat: "one" },
    // Nobody else can own a name below `.internal`.
    api: { host: `api.${cluster}.internal`, certificateArn: null },
    frontend: {
      ...{ enabled: true, bucket: `${cluster}-frontend`, cdn: true },
      ...{ host: `dashboard.${cluster}.internal`, certificateArn: null },
      ...FRONTEND_KEPT,
    },
    bundleBucket: `${cluster}-policy`,
    policyKeys: [],
    heartbeatsTable: `${cluster}-heartbeats`,
    aurora: {
      ...{ engine: "15.10", minCapacity: 1, maxCapacity: 16 },
      ...{ readers: 0, readerClass: "db.r6g.large", backupDays: 14, databaseName: "algobrain" },
    },
    redis: { engine: "7.1", nodeType: "cache.t4g.small", nodes: 2 },
    registry: { owner: true, ...IMAGES_KEPT },
    deadMan: { enabled: true, afterMs: 3 * MINUTE_MS },
    identity: {
      ...{ repo: "Algodons/AlgoBrainDoctor", ownerId: null, repoId: null },
      ...{ oidcProvider: "make", applyEnvironment: environment },
    },
    datadog: { forwarder: false, forwarderArn: null },
    review: REVIEW_DEFAULTS,
    ...RUNNING_DEFAULTS,
    pinInTask: false,
  };
}
