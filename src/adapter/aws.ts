/**
 * AWS for runbooks, over the SDK of its own making: only operations that exist, no secret in an argument list
 * . Loading this file loads no part of the SDK; every client is made at its first call.
 */
import type { Clock } from "../base/clock.js";
import type { AwsCallRecord, AwsPlace, AwsReader, AwsWriter } from "../runbook/aws-port.js";
import { createCacheCare } from "./aws-cache.js";
import { createCdn, findDistribution } from "./aws-cdn.js";
import { type AwsAccess, AwsClients, type AwsGround, send } from "./aws-clients.js";
import { createCloudWatchCare, type MetricPoint, putMetrics } from "./aws-cloudwatch.js";
import { createHeartbeats, type HeartbeatItem, putHeartbeat } from "./aws-dynamo.js";
import { createEcsReader } from "./aws-ecs.js";
import { createEcsWriter } from "./aws-ecs-writer.js";
import type { AwsLease } from "./aws-lease.js";
import { createLogs } from "./aws-logs.js";
import { createNetworkCare } from "./aws-network.js";
import { createRds } from "./aws-rds.js";
import { createScaling } from "./aws-scaling.js";
import { createSecrets } from "./aws-secrets.js";
import { createStorage } from "./aws-storage.js";

export interface AwsOptions {
  readonly access: AwsAccess;
  /** By the policy in force; so are the two names below. */
  readonly place: () => AwsPlace;
  /** Of our metrics. */
  readonly namespace: () => string;
  /** The table of heartbeats. */
  readonly heartbeatsTable: () => string;
  /** Of the run: every call ends with it. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Takes every call, also those that failed: for the run's lines and the audit. Must not throw. */
  readonly onCall: (record: AwsCallRecord) => void;
  /** Milliseconds for one call. */
  readonly timeoutMs?: number;
  /** Of the run, under which alone it changes anything; absent: what asks is no run. */
  readonly lease?: AwsLease;
}

const TIMEOUT_MS = 10_000;

export interface Aws {
  readonly aws: AwsReader & AwsWriter;
  /** The id of the CDN of this name; null: there is none. */
  findDistribution(alias: string): Promise<string | null>;
  /** Ends its connections. */
  close(): Promise<void>;
}

export function createAws(options: AwsOptions): Aws {
  const ground = groundOf(options);
  const aws = {
    place: ground.place,
    identity: () => readIdentity(ground),
    ...createEcsReader(ground),
    ...createEcsWriter(ground),
    ...createScaling(ground),
    ...createSecrets(ground),
    ...createRds(ground),
    ...createCacheCare(ground),
    ...createNetworkCare(ground),
    ...createLogs(ground),
    ...createStorage(ground),
    ...createCdn(ground),
    ...createCloudWatchCare(ground, options.namespace),
    ...createHeartbeats(ground, options.heartbeatsTable),
  };
  return {
    aws,
    findDistribution: (alias) => findDistribution(ground, alias),
    close: () => ground.clients.close(),
  };
}

export function groundOf(options: Omit<AwsOptions, "namespace" | "heartbeatsTable">): AwsGround {
  const { access, place, signal, clock, onCall } = options;
  const { timeoutMs = TIMEOUT_MS, lease = null } = options;
  const clients = new AwsClients(access);
  return { ...{ access, place, signal, clock, onCall, timeoutMs }, lease, clients };
}

/** Whose credentials these are. */
export async function readIdentity(ground: AwsGround): Promise<{ account: string; arn: string }> {
  const { GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
  const command = new GetCallerIdentityCommand({});
  const { Account = "", Arn = "" } = await send(ground, "sts", command, { target: "this process" });
  return { account: Account, arn: Arn };
}

/** What the runtime itself tells AWS: figures each minute, and a sign of life. */
export interface AwsSigns {
  putMetrics(namespace: string, at: Date, points: readonly MetricPoint[]): Promise<void>;
  putHeartbeat(table: string, item: HeartbeatItem): Promise<void>;
  close(): Promise<void>;
}

export function createAwsSigns(
  options: Omit<AwsOptions, "namespace" | "heartbeatsTable">,
): AwsSigns {
  const ground = groundOf(options);
  return {
    putMetrics: (namespace, at, points) => putMetrics(ground, { namespace, at, points }),
    putHeartbeat: (table, item) => putHeartbeat(ground, table, item),
    close: () => ground.clients.close(),
  };
}
