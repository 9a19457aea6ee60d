/** What the system is given in the cloud, and how its services grow. Pure types. */
import type { PlanReview } from "./plan-review.js";
import type { FrontendKept, ImagesKept, Running, TaskSize } from "./running.js";

/** What runs as a service of its own; the executor works with the rights of runbooks (design 3, 15). */
export const SERVICES = ["api", "orchestrator", "workers", "executor"] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface ScalingTarget {
  /** Name of the scaling policy, e.g. `api-cpu-scaling`. */
  readonly name: string;
  readonly metric:
    | {
        readonly predefined:
          | "ECSServiceAverageCPUUtilization"
          | "ECSServiceAverageMemoryUtilization";
      }
    | {
        readonly namespace: string;
        readonly name: string;
        readonly statistic: "Average" | "Sum" | "Maximum";
      };
  readonly target: number;
  readonly scaleInCooldownS: number;
  readonly scaleOutCooldownS: number;
}

export interface ServiceScaling {
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  readonly policies: readonly ScalingTarget[];
}

export interface ServiceSize extends TaskSize {
  /** What the service must carry; only the API has one, and only where an environment says it. */
  readonly target?: { readonly requestsPerSecond: number } | undefined;
}

/** A name that people call, and the certificate for it. */
export interface PublicHost {
  /** `api.algobrain.doctor`; below `.internal`, which no certificate covers, where nobody has written one. */
  readonly host: string;
  /** Of ACM; null: the stack asks for one, and somebody proves the domain by DNS. */
  readonly certificateArn: string | null;
}

export interface Network {
  /** Of the whole network, /16 to /20: `10.40.0.0/16`. */
  readonly cidr: string;
  /** Gateways to the internet: one of all zones, one of each, or none: then tasks do not get out. */
  readonly nat: "one" | "each" | "none";
}

/** The site of HB-aws-14; without `cdn` (HB-aws-16, HB-req-09) only its bucket is made. */
export interface Frontend extends PublicHost, FrontendKept {
  readonly enabled: boolean;
  readonly bucket: string;
  readonly cdn: boolean;
}

/** Aurora PostgreSQL Serverless v2 (HB-aws-10, HB-aws-11). */
export interface Aurora {
  /** A version of Aurora PostgreSQL: `15.10`. */
  readonly engine: string;
  /** In capacity units (ACU, 2 GiB each), in steps of 0.5. */
  readonly minCapacity: number;
  /** In capacity units, too. */
  readonly maxCapacity: number;
  /** Instances that only read, each of `readerClass`; 0: there is no reader endpoint (HB-cli-28). */
  readonly readers: number;
  readonly readerClass: string;
  /** Days for which the server can go back to any second (HB-aws-10). */
  readonly backupDays: number;
  readonly databaseName: string;
}

/** ElastiCache (HB-aws-12). */
export interface Redis {
  /** A version: `7.1`. */
  readonly engine: string;
  readonly nodeType: string;
  /** 2 or 3: one that writes, and those that take over. */
  readonly nodes: number;
}

export interface Registry extends ImagesKept {
  /** Whether the image repositories, one set an account, are made by this environment (HB-aws-06). */
  readonly owner: boolean;
}

/** Tells when the orchestrator is silent, without any process of ours. */
export interface DeadMan {
  readonly enabled: boolean;
  /** Milliseconds without a heartbeat; whole minutes. */
  readonly afterMs: number;
}

/** Whom GitHub's tokens of OIDC speak for. */
export interface Identity {
  /** `owner/name` at GitHub. */
  readonly repo: string;
  /** Numbers of GitHub that stay when a name is taken over, for the immutable form of the subject; null: not used. */
  readonly ownerId: string | null;
  readonly repoId: string | null;
  /** An account has one provider: the environment that makes it, and those that find it there. */
  readonly oidcProvider: "make" | "existing";
  /** The environment at GitHub, with reviewers, whose jobs may apply. */
  readonly applyEnvironment: string;
}

export interface Datadog {
  /** Whether all log groups are sent there (HB-aws-20, HB-log-05). */
  readonly forwarder: boolean;
  /** The Lambda function that sends them; null: the stack installs Datadog's own, with its key in the secret `datadog-api-key`. */
  readonly forwarderArn: string | null;
}

export interface Infrastructure extends Running {
  /** 12 digits; null: nothing is made in any account (environment `local`). */
  readonly account: string | null;
  readonly region: string;
  /** Availability zones of the region that are used: 2 or 3. */
  readonly azs: number;
  readonly cluster: string;
  readonly namespace: string;
  readonly network: Network;
  /** HB-aws-17. */
  readonly api: PublicHost;
  readonly frontend: Frontend;
  readonly services: Readonly<Record<ServiceName, ServiceSize>>;
  readonly exportsBucket: string;
  /** Holds published policy bundles. */
  readonly bundleBucket: string;
  /** Raw Ed25519 public keys in base64 whose bundles are believed; none: the policies of the image hold. */
  readonly policyKeys: readonly string[];
  /** HB-aws-13. */
  readonly heartbeatsTable: string;
  readonly database: {
    readonly poolSize: number;
    readonly connectionsMax: number;
    readonly reserve: number;
  };
  readonly aurora: Aurora;
  readonly redis: Redis;
  readonly registry: Registry;
  readonly deadMan: DeadMan;
  readonly identity: Identity;
  readonly datadog: Datadog;
  readonly review: PlanReview;
  /** Puts WORKER_CONCURRENCY_* into the task (design 8.4). */
  readonly pinInTask: boolean;
}
