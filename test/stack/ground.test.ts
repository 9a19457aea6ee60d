/** GIVEN the handbook's production policy, WHEN synthesized, THEN what everything stands on is safe: network, data, images. */
import { beforeAll, describe, expect, test } from "vitest";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import type { PolicySet } from "../../src/policy/policy.js";
import type { Infrastructure } from "../../src/policy/services.js";
import { cidrPart } from "../../stacks/cidr.js";
import { checkStacks } from "../../stacks/cross-stack.js";
import { ownNames } from "../../stacks/names.js";
import { OUTPUTS } from "../../stacks/outputs.js";
import { elementsOf } from "../../stacks/schema-check.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let production: Synthesized;
/** Staging beside production in one account; three zones, no way out, a reader. */
let staging: Synthesized;
beforeAll(async () => {
  production = await synthesized(makePolicy());
  staging = await synthesized(stagingPolicy());
});

function withEstate(estate: Partial<Infrastructure>, other: Partial<PolicySet> = {}): PolicySet {
  const policy = makePolicy(other);
  return { ...policy, infrastructure: { ...policy.infrastructure, ...estate } };
}

/** The id of a security group, as rules refer to it. */
function idOf(group: string): string {
  return `\${aws_security_group.${group}-group.id}`;
}

function stagingPolicy(): PolicySet {
  const { aurora, network, registry } = makePolicy().infrastructure;
  return withEstate(
    {
      cluster: "algobrain-staging",
      azs: 3,
      network: { ...network, nat: "none" },
      aurora: { ...aurora, readers: 2 },
      registry: { ...registry, owner: false },
    },
    { environment: "staging" },
  );
}

/** Parts of an environment, parsed, by part. */
function parts(output: Synthesized): Record<string, JsonObject> {
  return Object.fromEntries(
    output.synthesis.stacks.map(({ part, name }) => [part, output.documents[name]!]),
  );
}

describe("network", () => {
  test("two zones: a public and a private subnet in each, none of them overlapping", () => {
    const subnets = Object.values(production.resources("aws_subnet"));
    expect(subnets.map(({ cidr_block }) => cidr_block).sort()).toEqual([
      "10.40.0.0/20",
      "10.40.128.0/20",
      "10.40.144.0/20",
      "10.40.16.0/20",
    ]);
    for (const subnet of subnets) expect(subnet.map_public_ip_on_launch).toBe(false);
  });

  test("a third zone moves none of the subnets of the other two", () => {
    const before = production.resources("aws_subnet");
    const after = staging.resources("aws_subnet");
    expect(Object.keys(after)).toHaveLength(6);
    for (const [id, { cidr_block }] of Object.entries(before))
      expect(after[id]?.cidr_block).toBe(cidr_block);
  });

  test.each([
    ["one", 1, 2],
    ["each", 2, 2],
    ["none", 0, 0],
  ] as const)("gateways to the internet: %s", async (nat, gateways, routes) => {
    const { network } = makePolicy().infrastructure;
    const output = await synthesized(withEstate({ network: { ...network, nat } }));
    expect(Object.keys(output.resources("aws_nat_gateway"))).toHaveLength(gateways);
    const out = Object.keys(output.resources("aws_route")).filter((id) => id.startsWith("private"));
    expect(out).toHaveLength(routes);
  });

  test("database and cache are reached from tasks, on their ports, and from nowhere else (HB-aws-21, HB-aws-10)", () => {
    const rules = Object.values(production.resources("aws_vpc_security_group_ingress_rule"));
    const into = (group: string) =>
      rules
        .filter((rule) => String(rule.security_group_id).includes(`.${group}-group.`))
        .map((rule) => [rule.from_port, rule.to_port, rule.referenced_security_group_id]);
    const tasks = idOf("task");
    expect(into("database")).toEqual([[5432, 5432, tasks]]);
    expect(into("cache")).toEqual([[6379, 6379, tasks]]);
    expect(into("task")).toEqual([[3001, 3001, idOf("balancer")]]);
  });

  test("only the balancer is open to the world, on 443 and on 80, which sends on", () => {
    const open = Object.values(production.resources("aws_vpc_security_group_ingress_rule")).filter(
      ({ cidr_ipv4 }) => cidr_ipv4 !== undefined,
    );
    expect(open.map(({ from_port }) => from_port).sort()).toEqual([443, 80]);
    for (const rule of open) expect(rule.security_group_id).toBe(idOf("balancer"));
  });

  test("no group has rules within itself, and the one that AWS makes has none at all", () => {
    const groups = production.resources("aws_security_group");
    for (const group of Object.values({
      ...groups,
      ...production.resources("aws_default_security_group"),
    })) {
      expect(group.ingress ?? null).toBeNull();
      expect(group.egress ?? null).toBeNull();
    }
  });

  test("addresses are cut as RFC 4632 says, to the edge and not beyond", () => {
    expect(cidrPart("10.40.0.0/20", 4, 15)).toBe("10.40.15.0/24");
    expect(cidrPart("255.255.0.0/16", 4, 15)).toBe("255.255.240.0/20");
    expect(() => cidrPart("10.40.0.0/16", 4, 16)).toThrow("no part 16");
    expect(() => cidrPart("10.40.0.0/30", 4, 0)).toThrow("cannot be cut");
    expect(() => cidrPart("10.40.0/16", 4, 0)).toThrow("cannot be cut");
    expect(() => cidrPart("10.40.16.0/16", 4, 0)).toThrow("begins in its own midst");
  });
});

describe("data", () => {
  test("the database is encrypted, backed up and not destroyed by a plan; its password is nobody's (HB-aws-10, HB-aws-24)", () => {
    const database = production.resource("aws_rds_cluster", "database");
    expect(database).toMatchObject({
      cluster_identifier: "algobrain-prod",
      engine: "aurora-postgresql",
      database_name: "algobrain",
      port: 5432,
      storage_encrypted: true,
      backup_retention_period: 14,
      deletion_protection: true,
      manage_master_user_password: true,
      master_username: "migrator",
      serverlessv2_scaling_configuration: { min_capacity: 1, max_capacity: 16 },
      lifecycle: { prevent_destroy: true },
    });
    expect(database.master_password).toBeUndefined();
    expect(
      production.resource("aws_rds_cluster_parameter_group", "database-parameters"),
    ).toMatchObject({
      family: "aurora-postgresql15",
      parameter: [{ name: "rds.force_ssl", value: "1" }],
    });
  });

  test("readers are there when policy says so, by the handbook's name, and only then is their address told (HB-aws-11, HB-cli-28)", () => {
    expect(Object.keys(production.resources("aws_rds_cluster_instance"))).toEqual([
      "database-writer",
    ]);
    expect(parts(production).data?.output).not.toHaveProperty("database_reader_endpoint");
    expect(staging.resource("aws_rds_cluster_instance", "database-replica-1")).toMatchObject({
      identifier: "algobrain-staging-replica-1",
      instance_class: "db.r6g.large",
    });
    expect(parts(staging).data?.output).toHaveProperty("database_reader_endpoint");
  });

  test("the cache is encrypted on the way and at rest, with its token nowhere (HB-aws-12)", () => {
    const cache = production.resource("aws_elasticache_replication_group", "cache");
    expect(cache).toMatchObject({
      replication_group_id: "algobrain-prod",
      node_type: "cache.t4g.small",
      num_cache_clusters: 2,
      transit_encryption_enabled: true,
      at_rest_encryption_enabled: "true",
      automatic_failover_enabled: true,
      // A change that waits for a maintenance window is drift until then.
      apply_immediately: true,
      lifecycle: {
        ignore_changes: expect.arrayContaining(["auth_token", "auth_token_update_strategy"]),
      },
    });
    expect(cache.auth_token).toBeUndefined();
  });

  test("the table of heartbeats has the handbook's key (HB-aws-13)", () => {
    expect(production.resource("aws_dynamodb_table", "heartbeats")).toMatchObject({
      name: makePolicy().infrastructure.heartbeatsTable,
      hash_key: "service",
      attribute: [{ name: "service", type: "S" }],
      billing_mode: "PAY_PER_REQUEST",
    });
  });

  test("every bucket is private, encrypted, and refuses plain HTTP", () => {
    const buckets = Object.keys(production.resources("aws_s3_bucket"));
    expect(buckets.length).toBeGreaterThan(3);
    const of = (type: string) =>
      Object.values(production.resources(type)).map(({ bucket }) => String(bucket));
    for (const id of buckets) {
      const named = expect.stringContaining(`aws_s3_bucket.${id}.`);
      expect(of("aws_s3_bucket_public_access_block")).toContainEqual(named);
      expect(of("aws_s3_bucket_server_side_encryption_configuration")).toContainEqual(named);
    }
    for (const { policy } of Object.values(production.resources("aws_s3_bucket_policy")))
      expect(policy).toContain('"aws:SecureTransport":"false"');
  });
});

describe("images", () => {
  test("production makes the repositories, staging names the same ones (HB-aws-06, X-20)", () => {
    expect(
      Object.values(production.resources("aws_ecr_repository")).map(({ name }) => name),
    ).toEqual([
      "algobrain-api",
      "algobrain-executor",
      "algobrain-orchestrator",
      "algobrain-workers",
    ]);
    expect(staging.resources("aws_ecr_repository")).toEqual({});
    expect(parts(staging).registry?.output).toMatchObject({
      repository_urls: {
        value: { api: "123456789012.dkr.ecr.us-east-1.amazonaws.com/algobrain-api" },
      },
    });
  });
});

describe("between stacks", () => {
  test("each tells what the list of outputs says it tells, and nothing else", () => {
    const optional = new Set(["database_reader_endpoint"]);
    for (const [part, { output = {} }] of Object.entries(parts(production))) {
      const told = Object.keys(isJsonObject(output) ? output : {}).sort();
      const named = Object.entries(OUTPUTS).flatMap(([name, by]) => (by === part ? [name] : []));
      expect([part, told]).toEqual([part, named.filter((name) => !optional.has(name)).sort()]);
    }
  });

  test.each([
    [
      "an output that nobody tells",
      (all: Record<string, JsonObject>) => {
        delete (all.network!.output as JsonObject).task_group_id;
      },
      /reads "task_group_id", which network does not tell/,
    ],
    [
      "the state of another bucket",
      (all: Record<string, JsonObject>) => {
        stateIn(all.data!, "network").bucket = "elsewhere";
      },
      /reads the state at s3:\/\/elsewhere\/network\.tfstate in us-east-1; network keeps its own at/,
    ],
    [
      "a stack that is not there",
      (all: Record<string, JsonObject>) => {
        delete all.registry;
      },
      /services: .*reads the state of "registry", which no stack of ours has/,
    ],
    [
      "a stack that comes later",
      (all: Record<string, JsonObject>) => {
        const services = { backend: "s3", config: {} };
        all.network!.data = { terraform_remote_state: { services } };
      },
      /network: .*reads services, which is applied after network/,
    ],
  ])("%s is found before Terraform asks", (_, spoil, message) => {
    const documents = structuredClone(parts(production));
    expect(checkStacks(documents)).toEqual([]);
    spoil(documents);
    const found = checkStacks(documents).map(({ at, message: text }) => `${at}: ${text}`);
    expect(found.join("\n")).toMatch(message);
  });

  test("two environments of one account share no name", () => {
    for (const type of [
      ...["aws_ecs_task_definition.family", "aws_iam_role.name", "aws_iam_policy.name"],
      ...["aws_cloudwatch_log_group.name", "aws_rds_cluster.cluster_identifier", "aws_lb.name"],
      ...["aws_db_subnet_group.name", "aws_kms_alias.name", "aws_secretsmanager_secret.name"],
      ...["aws_cloudwatch_metric_alarm.alarm_name", "aws_sns_topic.name"],
    ]) {
      const [kind = "", attribute = ""] = type.split(".");
      const names = (output: Synthesized) =>
        Object.values(output.resources(kind)).map((body) => String(body[attribute]));
      const both = names(production).filter((name) => names(staging).includes(name));
      expect([type, both]).toEqual([type, []]);
      expect([type, names(production).length > 0]).toEqual([type, true]);
    }
  });

  test("what is ours is told by the beginning of its name, in one pattern where one is enough", () => {
    expect(ownNames(makePolicy())).toEqual(["algobrain-*"]);
    expect(ownNames(stagingPolicy())).toEqual(["algobrain-staging*"]);
    expect(ownNames(withEstate({ cluster: "blue" }))).toEqual(["algobrain-*", "blue*"]);
  });
});

function stateIn(document: JsonObject, part: string): JsonObject {
  const [state] = elementsOf(document, "data").filter(({ name }) => name === part);
  return state!.body.config as JsonObject;
}

test("synthesis is the same, byte for byte, when it is done again", async () => {
  expect((await synthesized(makePolicy())).texts).toEqual(production.texts);
});
