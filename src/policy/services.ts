/** What the services are given in the cloud, and how they grow. Pure types. */

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

export interface ServiceSize {
  readonly cpu: number;
  readonly memoryMiB: number;
  /** What the service must carry; only the API has one, and only where an environment says it. */
  readonly target?: { readonly requestsPerSecond: number } | undefined;
}

export interface Infrastructure {
  readonly region: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly services: Readonly<Record<"api" | "orchestrator" | "workers", ServiceSize>>;
  readonly exportsBucket: string;
  readonly database: {
    readonly poolSize: number;
    readonly connectionsMax: number;
    readonly reserve: number;
  };
  /** Puts WORKER_CONCURRENCY_* into the task (design 8.4). */
  readonly pinInTask: boolean;
}
