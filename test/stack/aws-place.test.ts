/** The names that the runtime looks for in AWS are those that the stacks give: of both environments, one by one. */
import { beforeAll, describe, expect, test } from "vitest";
import { alarmNames } from "../../src/alert/outlet/alarm-names.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { type AwsEstate, awsEstate } from "../../src/runbook/aws-place.js";
import { SHIPPED } from "../policy/shipped.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

describe.each(["production", "staging"])("in %s", (environment) => {
  let output: Synthesized;
  let estate: AwsEstate;
  beforeAll(async () => {
    const policy = loadPolicySet(SHIPPED, environment);
    if (!policy.ok) throw new Error("the shipped policies are invalid");
    output = await synthesized(policy.value);
    const alarms = alarmNames(policy.value);
    estate = awsEstate(policy.value, { queries: {}, alarms, distributionId: null });
  });
  const all = (type: string, attribute: string) =>
    Object.values(output.resources(type)).map((body) => String(body[attribute]));
  const places = () => Object.values(estate.services);

  test("the services, what they run and where they log", () => {
    expect(all("aws_ecs_cluster", "name")).toEqual([estate.cluster]);
    expect(all("aws_ecs_service", "name").sort()).toEqual(
      places()
        .map(({ name }) => name)
        .sort(),
    );
    const families = all("aws_ecs_task_definition", "family");
    expect(families).toEqual(expect.arrayContaining(places().map(({ family }) => family)));
    expect(families).toContain(estate.migrationFamily);
    const groups = all("aws_cloudwatch_log_group", "name");
    expect(groups).toEqual(expect.arrayContaining(places().map(({ logGroup }) => logGroup)));
  });

  test("X-20: the images are looked for where the owner of the registry has them", () => {
    const repositories = all("aws_ecr_repository", "name");
    const own = places().map(({ repository }) => repository);
    if (environment === "production") expect(repositories.sort()).toEqual(own.sort());
    else expect(own.every((name) => !name.includes(environment))).toBe(true);
  });

  test("the data: database, cache, table and buckets", () => {
    expect(all("aws_rds_cluster", "cluster_identifier")).toEqual([estate.databaseCluster]);
    expect(all("aws_elasticache_replication_group", "replication_group_id")).toEqual([
      estate.cacheGroup,
    ]);
    expect(all("aws_dynamodb_table", "name")).toEqual([estate.heartbeatsTable]);
    const buckets = all("aws_s3_bucket", "bucket");
    for (const use of ["frontend", "exports", "bundle"] as const)
      expect(buckets).toContain(estate.bucketOf(use));
  });

  test("BQ-op-26: the alarms that are looked at after a deployment", () => {
    expect(estate.alarms.length).toBeGreaterThan(environment === "production" ? 20 : 10);
    const made = all("aws_cloudwatch_metric_alarm", "alarm_name");
    expect(made.sort()).toEqual([...estate.alarms].sort());
  });

  test("HB-aws-19: each secret by its name, and whom to restart when it changes", () => {
    const named = output.resources("aws_secretsmanager_secret");
    const readers = new Map<string, Set<string>>();
    for (const service of places()) {
      for (const name of secretsOf(service.family))
        readers.set(name, (readers.get(name) ?? new Set()).add(service.name));
    }
    expect(readers.size).toBeGreaterThan(3);
    for (const [name, services] of readers) {
      expect(String(named[`secret-${name}`]?.name)).toBe(estate.secretOf(name));
      expect({ name, readers: [...estate.readersOf(name)].sort() }).toEqual({
        ...{ name, readers: [...services].sort() },
      });
    }
  });

  /** Names of the secrets that its containers read. */
  const secretsOf = (family: string): string[] => {
    const tasks = Object.values(output.resources("aws_ecs_task_definition"));
    const task = tasks.find((body) => body.family === family);
    const text = String(task?.container_definitions);
    return [...text.matchAll(/outputs\.secret_arns\.([\w-]+)/g)].map(([, name]) => name ?? "");
  };
});
