/** Where everything of the made-up account is: named as the stacks name production. */
import type { AwsPlace, ServicePlace } from "../../src/runbook/aws-port.js";

const READERS: Readonly<Record<string, readonly string[]>> = {
  "database-url": ["orchestrator", "workers", "api"],
  "redis-password": ["orchestrator", "workers", "api"],
  "jwt-secret": ["orchestrator", "workers", "api"],
  "webhook-secret": ["api"],
  "github-token": ["workers"],
};

const servicePlace = (name: string, min: number, max: number): ServicePlace => ({
  ...{ name, min, max, desired: min },
  family: `algobrain-${name}`,
  logGroup: `/ecs/algobrain-${name}`,
  repository: `algobrain-${name}`,
});

export function makeAwsPlace(overrides: Partial<AwsPlace> = {}): AwsPlace {
  const services = [
    servicePlace("api", 2, 10),
    servicePlace("orchestrator", 1, 1),
    servicePlace("workers", 12, 120),
    servicePlace("executor", 1, 1),
  ];
  return {
    ...{ account: "123456789012", region: "us-east-1", environment: "production" },
    ...{ system: "algobrain", cluster: "algobrain-prod" },
    services: Object.fromEntries(services.map((service) => [service.name, service])),
    migrationFamily: "algobrain-migrate",
    logGroupDays: 30,
    queries: { errors: 'fields @timestamp, @message | filter level = "error" | limit 100' },
    alarms: ["algobrain-prod-dead-man"],
    databaseCluster: "algobrain-prod",
    cacheGroup: "algobrain-prod",
    distributionId: "E1234ABCDEF",
    secretOf: (name) => `algobrain/prod/${name}`,
    readersOf: (name) => READERS[name] ?? [],
    bucketOf: (use) => `algobrain-${use}-prod`,
    ...overrides,
  };
}
