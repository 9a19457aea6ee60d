/** The container of a service: command, plain environment, secrets by ARN, logs, the few folders it may write to. */
import type { JsonObject } from "../src/base/json.js";
import type { PolicySet } from "../src/policy/policy.js";
import type { Tasks } from "../src/policy/running.js";
import type { ServiceName } from "../src/policy/services.js";
import { imageName } from "./names.js";
import type { TaskSecret } from "./secret.js";

/** Where the API listens, inside the network. */
export const API_PORT = 3001;
const REDIS_PORT = 6379;
/** Shallow on purpose: a dead database must not end every task at once. */
export const LIVE_PATH = "/health/live";
/** The user that the images are built for; files of the image belong to root. */
const USER_ID = "10001";
/** Amazon's own for databases, which no system knows (AWS manual, "Using SSL/TLS to encrypt a connection"). */
const DATABASE_AUTHORITIES = "/etc/ssl/rds/global-bundle.pem";
/** What `policy publish --to` is given (docs/operating.md). */
const BUNDLE_KEY = "policies/current.json";

const ROLES: Readonly<Record<ServiceName, string>> = {
  api: "api",
  orchestrator: "orchestrator",
  workers: "worker",
  executor: "executor",
};

/**
 * Volumes that live as long as the task, by name: all else is read-only. The last two are the remote shell's: its
 * agent writes there and cannot start on a root file system that refuses (aws/containers-roadmap#1359).
 */
export type Folders = Readonly<Record<string, string>>;
export const HOME = { home: "/var/lib/algobrain", tmp: "/tmp" } as const;
const REMOTE_SHELL = { "shell-state": "/var/lib/amazon", "shell-logs": "/var/log/amazon" } as const;

/** The image's own: exit 0 while the API answers, and while another process still gets round to things. ECS ignores the one that the image names. It is told how long it is waited for. */
function alive({ checkEveryS, checkTimeoutS, checkTries, startS }: Tasks) {
  return {
    command: ["CMD", "node", "/app/infra/docker/health.mjs", String(checkTimeoutS)],
    ...{ interval: checkEveryS, timeout: checkTimeoutS, retries: checkTries, startPeriod: startS },
  };
}

export interface ContainerOptions {
  readonly service: ServiceName;
  readonly image: string;
  /** The commit of the image, 40 hexadecimal digits. */
  readonly imageTag: string;
  readonly logGroup: string;
  readonly secrets: readonly TaskSecret[];
  /** Host of the cache that writes. */
  readonly cacheEndpoint: string;
  /** What a run of the executor works as; nobody else is told. */
  readonly executorRoleArn: string;
}

/** The JSON text that a task definition takes. */
export function containerDefinitions(policy: PolicySet, options: ContainerOptions): string {
  const { service, image, logGroup, secrets } = options;
  const { tasks } = policy.infrastructure;
  const container = {
    name: service,
    image,
    essential: true,
    command: ["serve", "--role", ROLES[service]],
    environment: environment(policy, options),
    secrets: secrets.map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
    portMappings: service === "api" ? [{ containerPort: API_PORT, protocol: "tcp" }] : [],
    healthCheck: alive(tasks),
    ...sealed(foldersOf(service)),
    stopTimeout: tasks.stopTimeoutS,
    logConfiguration: logConfiguration(policy, logGroup, imageName(policy, service)),
  };
  return JSON.stringify([container]);
}

/** As nobody, on a root that nobody can write to, but for these folders; with a first process that reaps others. */
export function sealed(folders: Folders) {
  return {
    user: USER_ID,
    readonlyRootFilesystem: true,
    mountPoints: Object.entries(folders).map(([sourceVolume, containerPath]) => ({
      sourceVolume,
      containerPath,
      readOnly: false,
    })),
    linuxParameters: { initProcessEnabled: true },
  };
}

/** The volumes of a task; their folders are made, and given to the user, by the image. */
export function volumesOf(folders: Folders): { name: string }[] {
  return Object.keys(folders).map((name) => ({ name }));
}

/** A shell beside whoever may act on AWS would be a way around every approval. */
export function hasRemoteShell(service: ServiceName): boolean {
  return service !== "executor";
}

export function foldersOf(service: ServiceName): Folders {
  return hasRemoteShell(service) ? { ...HOME, ...REMOTE_SHELL } : HOME;
}

export function logConfiguration(
  { infrastructure }: PolicySet,
  logGroup: string,
  prefix: string,
): JsonObject {
  return {
    logDriver: "awslogs",
    options: {
      "awslogs-group": logGroup,
      "awslogs-region": infrastructure.region,
      "awslogs-stream-prefix": prefix,
    },
  };
}

/** What every program of ours is told; the image brings the authorities that sign Aurora's certificates. */
export function commonVariables(
  { environment, infrastructure }: PolicySet,
  imageTag: string,
): Record<string, string> {
  return {
    ALGOBRAIN_COMMIT: imageTag,
    ALGOBRAIN_ENV: environment,
    ALGOBRAIN_HOME: HOME.home,
    AWS_REGION: infrastructure.region,
    NODE_EXTRA_CA_CERTS: DATABASE_AUTHORITIES,
    PGSSLROOTCERT: DATABASE_AUTHORITIES,
    TMPDIR: HOME.tmp,
  };
}

/** As a task definition takes them, in an order that no edit changes. */
export function named(
  variables: Readonly<Record<string, string>>,
): { name: string; value: string }[] {
  return Object.entries(variables)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value }));
}

/** Only what a process must know before it can read policy; the rest is policy (HB-env-35, design 8.4). */
function environment(
  policy: PolicySet,
  { service, imageTag, cacheEndpoint, executorRoleArn }: ContainerOptions,
): { name: string; value: string }[] {
  const { exportsBucket, pinInTask } = policy.infrastructure;
  return named({
    ...commonVariables(policy, imageTag),
    REDIS_URL: `rediss://${cacheEndpoint}:${REDIS_PORT}`,
    S3_EXPORTS_BUCKET: exportsBucket,
    ...policySource(policy),
    ...(service === "api" ? { HOST: "0.0.0.0", PORT: String(API_PORT) } : {}),
    ...(service === "executor" ? { AWS_EXECUTOR_ROLE_ARN: executorRoleArn } : {}),
    ...(service === "workers" && pinInTask ? pinnedConcurrency(policy) : {}),
  });
}

/** With no key pinned no bundle could be believed: then the policies of the image hold. */
function policySource({ infrastructure }: PolicySet): Record<string, string> {
  const { policyKeys, bundleBucket } = infrastructure;
  if (policyKeys.length === 0) return {};
  return {
    POLICY_PUBLIC_KEY: policyKeys.join(","),
    POLICY_SOURCE: `s3://${bundleBucket}/${BUNDLE_KEY}`,
  };
}

/** HB-env-12…23 by their names; set, they override policy and are shown as drift. */
function pinnedConcurrency({ workers }: PolicySet): Record<string, string> {
  return Object.fromEntries(
    Object.values(workers).map(({ kind, concurrency }) => [
      `WORKER_CONCURRENCY_${kind.toUpperCase()}`,
      String(concurrency),
    ]),
  );
}
