/**
 * AWS as runbooks may see it: verbs of ours over names of ours, never the SDK. Every verb has a deadline of its own and
 * ends with the run; it throws a Fault: waiting when AWS asks to slow down or refuses the credentials, transient when
 * it does not answer, refused when the thing does not exist, data when the request makes no sense to it.
 */
import type { SecretText } from "../base/secret-text.js";

/** Where everything of one environment is, by the policy in force. */
export interface AwsPlace {
  /** 12 digits. */
  readonly account: string;
  readonly region: string;
  readonly environment: string;
  /** `algobrain`. */
  readonly system: string;
  readonly cluster: string;
  /** By service: api, orchestrator, workers, executor. */
  readonly services: Readonly<Record<string, ServicePlace>>;
  /** Of the task that changes the schema, as another database user than the services are (HB-aws-24). */
  readonly migrationFamily: string;
  /** Days for which every log group of ours keeps its lines (HB-aws-18). */
  readonly logGroupDays: number;
  /** Saved queries of Logs Insights by name. */
  readonly queries: Readonly<Record<string, string>>;
  /** Names of all alarms that the policy makes in CloudWatch. */
  readonly alarms: readonly string[];
  readonly databaseCluster: string;
  readonly cacheGroup: string;
  /** Null: no CDN in front. */
  readonly distributionId: string | null;
  /** `jwt-secret` → `algobrain/prod/jwt-secret`. */
  secretOf(name: string): string;
  /** Services that read the secret `jwt-secret`, in the order in which they may be restarted. */
  readersOf(name: string): readonly string[];
  /** Null: this environment has none. */
  bucketOf(use: "frontend" | "exports" | "bundle"): string | null;
}

export interface ServicePlace {
  readonly name: string;
  /** Of its task definitions. */
  readonly family: string;
  readonly logGroup: string;
  /** Of its images. */
  readonly repository: string;
  /** Tasks that autoscaling may choose between; equal where nothing scales it. */
  readonly min: number;
  readonly max: number;
  /** Tasks with which it was made. */
  readonly desired: number;
}

export interface DeploymentView {
  readonly id: string;
  readonly status: string;
  readonly taskDefinition: string;
  readonly desired: number;
  readonly running: number;
  readonly failed: number;
  readonly rollout: "COMPLETED" | "IN_PROGRESS" | "FAILED" | null;
  readonly since: Date;
}

export interface ServiceView {
  readonly name: string;
  readonly status: string;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  /** ARN. */
  readonly taskDefinition: string;
  readonly revision: number;
  readonly image: string;
  /** Null: an image by digest, or none of ours. */
  readonly imageTag: string | null;
  /** Newest first. */
  readonly deployments: readonly DeploymentView[];
  /** Newest first, as ECS words them. */
  readonly events: readonly { readonly at: Date; readonly text: string }[];
  readonly execEnabled: boolean;
}

export interface TaskView {
  readonly id: string;
  readonly status: string;
  /** Null: it says nothing of it. */
  readonly health: string | null;
  readonly startedAt: Date | null;
  readonly stoppedReason: string | null;
  /** Of its first container; null while it runs. */
  readonly exitCode: number | null;
  readonly taskDefinition: string;
  readonly group: string;
}

export interface LimitsView {
  readonly min: number;
  readonly max: number;
  /** Names of its scaling policies. */
  readonly policies: readonly string[];
  /** Scaling by policies is switched off by hand. */
  readonly suspended: boolean;
}

export interface RevisionView {
  readonly arn: string;
  readonly revision: number;
  readonly imageTag: string | null;
  readonly registeredAt: Date | null;
}

export interface SecretView {
  readonly arn: string;
  readonly versions: readonly {
    readonly id: string;
    /** `AWSCURRENT`, `AWSPREVIOUS`, `AWSPENDING`. */
    readonly stages: readonly string[];
    readonly createdAt: Date | null;
  }[];
}

export interface DatabaseClusterView {
  readonly status: string;
  readonly endpoint: string;
  readonly readerEndpoint: string | null;
  readonly masterUser: string;
  /** ARN of the secret in which RDS keeps that user's login, and changes it by itself; null: RDS keeps none. */
  readonly masterSecret: string | null;
  readonly members: readonly {
    readonly id: string;
    readonly writer: boolean;
    readonly status: string;
  }[];
}

export interface CacheGroupView {
  readonly status: string;
  readonly authToken: boolean;
  readonly nodes: number;
  readonly nodeType: string;
  /** A change is under way. */
  readonly pending: boolean;
  /** When its token was changed last; null: never, or it is not told. */
  readonly tokenChangedAt: Date | null;
}

export interface SecurityGroupView {
  readonly id: string;
  readonly ingress: readonly {
    readonly from: number;
    readonly to: number;
    /** `tcp`; `-1` for all. */
    readonly protocol: string;
    readonly groups: readonly string[];
    readonly cidrs: readonly string[];
  }[];
}

export interface LogQuery {
  readonly groups: readonly string[];
  readonly query: string;
  readonly from: Date;
  readonly to: Date;
  /** Rows at most. */
  readonly limit: number;
}

/** What may be looked at. Lists are bounded; no verb here ever gives the value of a secret. */
export interface AwsReader {
  place(): AwsPlace;
  identity(): Promise<{ readonly account: string; readonly arn: string }>;
  /** Throws refused `AWS_NOT_FOUND` with the names that exist. */
  service(name: string): Promise<ServiceView>;
  services(): Promise<readonly ServiceView[]>;
  tasks(service: string, status?: "RUNNING" | "STOPPED"): Promise<readonly TaskView[]>;
  /** Null: gone, or never there. ECS forgets a stopped task after an hour. */
  task(id: string): Promise<TaskView | null>;
  /** Null: nothing scales it. */
  limits(service: string): Promise<LimitsView | null>;
  /** Newest first. */
  revisions(family: string, max: number): Promise<readonly RevisionView[]>;
  image(
    repository: string,
    tag: string,
  ): Promise<{ readonly digest: string; readonly pushedAt: Date | null } | null>;
  logGroups(
    prefix: string,
  ): Promise<readonly { readonly name: string; readonly days: number | null }[]>;
  logQuery(query: LogQuery): Promise<{
    readonly rows: readonly Readonly<Record<string, string>>[];
    /** Bytes; null when it was not told. */
    readonly scanned: number | null;
    readonly truncated: boolean;
  }>;
  secret(name: string): Promise<SecretView | null>;
  databaseCluster(): Promise<DatabaseClusterView>;
  /** Newest first. */
  snapshots(
    max: number,
  ): Promise<
    readonly { readonly id: string; readonly status: string; readonly createdAt: Date | null }[]
  >;
  cacheGroup(): Promise<CacheGroupView>;
  /** Of the services and of what they talk to: `task`, `database`, `cache`; as they are attached now. */
  securityGroups(): Promise<
    Readonly<Record<"task" | "database" | "cache", readonly SecurityGroupView[]>>
  >;
  invalidation(distribution: string, id: string): Promise<"InProgress" | "Completed">;
  objects(
    bucket: string,
    prefix: string,
    max: number,
  ): Promise<readonly { readonly key: string; readonly bytes: number; readonly at: Date }[]>;
  /** The row that the service writes while it works, read consistently. */
  heartbeat(service: string): Promise<{ readonly at: Date; readonly leader: string | null } | null>;
  alarms(
    names: readonly string[],
  ): Promise<
    readonly { readonly name: string; readonly state: string; readonly since: Date | null }[]
  >;
  /**
   * One task beside the service that looks at what the service needs (`doctor --json`) and changes nothing. It has no
   * other command, so what only reads may start it. The same key never starts a second one within a day.
   */
  probeTask(request: {
    readonly service: string;
    readonly key: string;
  }): Promise<{ readonly task: string }>;
  /** Of our namespace, oldest first. */
  metric(
    name: string,
    from: Date,
    to: Date,
  ): Promise<readonly { readonly at: Date; readonly value: number }[]>;
}

/** What may be changed: handed only to steps of runbooks that say they change something. Each call is audited. */
export interface AwsWriter {
  /** Only what is named changes: without `desired`, autoscaling keeps its word. */
  updateService(request: {
    readonly service: string;
    /** ARN. */
    readonly taskDefinition?: string;
    readonly desired?: number;
    readonly forceNew?: boolean;
  }): Promise<{ readonly deploymentId: string }>;
  /** A copy of a task definition with another image, and nothing else changed but what is named. */
  registerRevision(request: {
    /** ARN. */
    readonly from: string;
    readonly image: string;
    readonly environment?: Readonly<Record<string, string>>;
  }): Promise<{ readonly arn: string; readonly revision: number }>;
  stopTask(request: { readonly task: string; readonly reason: string }): Promise<void>;
  /** One task beside the service, in its network and with its rights. */
  runTask(request: {
    /** A family, or the ARN of one of its revisions. */
    readonly taskDefinition: string;
    readonly command: readonly string[];
    readonly service: string;
    /** The same text never starts a second one within a day. */
    readonly key: string;
  }): Promise<{ readonly task: string }>;
  setLimits(request: {
    readonly service: string;
    readonly min: number;
    readonly max: number;
  }): Promise<void>;
  putSecret(request: {
    readonly name: string;
    readonly value: SecretText;
    readonly stage: "AWSPENDING" | "AWSCURRENT";
  }): Promise<{ readonly version: string }>;
  /** Makes a version the current one; the one before is `previous`. */
  promoteSecret(request: {
    readonly name: string;
    readonly version: string;
  }): Promise<{ readonly previous: string | null }>;
  createSecret(request: {
    readonly name: string;
    readonly value: SecretText;
  }): Promise<"created" | "exists">;
  /** Among the writers on purpose: reading a value is an act, and audited. */
  readSecret(request: { readonly name: string; readonly stage?: string }): Promise<SecretText>;
  createSnapshot(request: { readonly id: string }): Promise<void>;
  /** `SET` makes it the only one, `ROTATE` lets the one before work on. */
  setCacheToken(request: {
    readonly value: SecretText;
    readonly strategy: "ROTATE" | "SET";
  }): Promise<void>;
  putObjects(request: {
    readonly bucket: string;
    readonly files: readonly {
      readonly key: string;
      readonly path: string;
      /** Cache-Control. */
      readonly cache: string;
      /** Content-Type. */
      readonly type: string;
    }[];
  }): Promise<number>;
  deleteObjects(request: {
    readonly bucket: string;
    readonly keys: readonly string[];
  }): Promise<number>;
  /** The same `reference` never makes a second one. */
  invalidate(request: {
    readonly distribution: string;
    readonly paths: readonly string[];
    readonly reference: string;
  }): Promise<string>;
}

/** Of the actions behind these verbs. A value of a secret is not merely looked at. */
const READING = /^(?!secretsmanager:Get)[\w-]+:(Describe|List|Get|StartQuery$|StopQuery$)/;

/** `ecs:DescribeServices`: what is not known to look changes something. */
export function isAwsRead(action: string): boolean {
  return READING.test(action);
}

/** One call as the audit keeps it: what was asked of whom, never a value of it. */
export interface AwsCallRecord {
  /** `ecs`. */
  readonly service: string;
  /** `UpdateService`. */
  readonly operation: string;
  /** `algobrain-prod/api`. */
  readonly target: string;
  /** Names of the request's members. */
  readonly keys: readonly string[];
  /** `ok`, or the name of the refusal. */
  readonly status: string;
  readonly ms: number;
  readonly requestId: string | null;
}

/** AWS for the time of one run. */
export interface OpenedAws {
  readonly aws: AwsReader & AwsWriter;
  /** True: the session has only what the runbook declares; false: it has all that this process may. */
  readonly enforced: boolean;
  close(): Promise<void>;
}
