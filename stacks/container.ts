/** The container of a service: command, plain environment, secrets by ARN, logs. */
import type { PolicySet } from "../src/policy/policy.js";
import { imageName, type ServiceName } from "./names.js";
import type { TaskSecret } from "./secret.js";

/** Fargate's most: running jobs get this long to end before the task is killed. */
const STOP_TIMEOUT_S = 120;
const PORT = 3001;

const ROLES = { api: "api", orchestrator: "orchestrator", workers: "worker" } as const;

/** Exit 0 while /health/live answers; the image has Node and need not have curl. */
const PROBE = `fetch("http://127.0.0.1:${PORT}/health/live").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;

export interface ContainerOptions {
  readonly service: ServiceName;
  readonly image: string;
  readonly logGroup: string;
  readonly secrets: readonly TaskSecret[];
}

/** The JSON text that a task definition takes. */
export function containerDefinitions(policy: PolicySet, options: ContainerOptions): string {
  const { service, image, logGroup, secrets } = options;
  const container = {
    name: service,
    image,
    essential: true,
    command: ["serve", "--role", ROLES[service]],
    environment: environment(policy, service),
    secrets: secrets.map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
    portMappings: service === "api" ? [{ containerPort: PORT, protocol: "tcp" }] : [],
    ...(service === "api" ? { healthCheck: { command: ["CMD", "node", "-e", PROBE] } } : {}),
    stopTimeout: STOP_TIMEOUT_S,
    linuxParameters: { initProcessEnabled: true },
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": logGroup,
        "awslogs-region": policy.infrastructure.region,
        "awslogs-stream-prefix": imageName(policy, service),
      },
    },
  };
  return JSON.stringify([container]);
}

/** Only what a process must know before it can read policy; the rest is policy (HB-env-35, design 8.4). */
function environment(policy: PolicySet, service: ServiceName): { name: string; value: string }[] {
  const variables: Record<string, string> = {
    ALGOBRAIN_ENV: policy.environment,
    AWS_REGION: policy.infrastructure.region,
    S3_EXPORTS_BUCKET: policy.infrastructure.exportsBucket,
    ...(service === "api" ? { HOST: "0.0.0.0", PORT: String(PORT) } : {}),
    ...(service === "workers" && policy.infrastructure.pinInTask ? pinnedConcurrency(policy) : {}),
  };
  return Object.entries(variables)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value }));
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
