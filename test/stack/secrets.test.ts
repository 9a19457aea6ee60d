/** Secrets are containers and ARNs; their values pass through nothing that is written (HB-aws-19, HB-env-34). */
import { expect, test } from "vitest";
import type { PolicySet } from "../../src/policy/policy.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

const HANDBOOK_SECRETS = [
  "github-token",
  "jwt-secret",
  "webhook-secret",
  "db-password",
  "redis-password",
];
/** HB-env-34, and what else carries a credential. */
const SECRET_VARIABLES =
  /^(DATABASE_URL|PGPASSWORD|REDIS_PASSWORD|\w*_SECRET|\w*_TOKEN|\w*_API_KEY|\w*_ROUTING_KEY|SENTRY_DSN)$/;

function containers(output: Synthesized) {
  return Object.values(output.resources("aws_ecs_task_definition")).flatMap((task) =>
    JSON.parse(String(task.container_definitions)),
  );
}

test("the handbook's five secrets exist by name", async () => {
  const output = await synthesized(makePolicy());
  const names = Object.values(output.resources("aws_secretsmanager_secret")).map(
    ({ name }) => name,
  );
  expect(names).toEqual(
    expect.arrayContaining(HANDBOOK_SECRETS.map((name) => `algobrain/prod/${name}`)),
  );
});

test("no value of a secret is synthesized", async () => {
  const output = await synthesized(makePolicy());
  expect(output.resources("aws_secretsmanager_secret_version")).toEqual({});
  const variables = containers(output).flatMap(({ environment }) => environment);
  const suspicious = variables.filter(({ name }) => SECRET_VARIABLES.test(name));
  // Addresses alone, of whoever migrates and prepares.
  const address = expect.stringMatching(/^postgresql:\/\/migrator@\$\{data\./);
  expect(suspicious).toEqual(Array(2).fill({ name: "DATABASE_URL", value: address }));
});

test("a task reads each secret by the ARN of its container", async () => {
  const output = await synthesized(makePolicy());
  for (const { secrets } of containers(output)) {
    expect(secrets.length).toBeGreaterThan(0);
    for (const { name, valueFrom } of secrets) {
      expect(name).toMatch(SECRET_VARIABLES);
      expect(valueFrom).toMatch(
        name === "PGPASSWORD"
          ? /^\$\{data\.terraform_remote_state\.data\.outputs\.migrator_secret_arn\}:password::$/
          : /^\$\{(aws_secretsmanager_secret\.secret-[\w-]+\.arn|data\.terraform_remote_state\.cluster\.outputs\.secret_arns\.[\w-]+)\}$/,
      );
    }
  }
});

test("the orchestrator gets neither the GitHub token nor a door's signing secret", async () => {
  const output = await synthesized(makePolicy());
  const orchestrator = containers(output).find(({ name }) => name === "orchestrator");
  const names = orchestrator.secrets.map(({ name }: { name: string }) => name);
  expect(names).not.toContain("GITHUB_TOKEN");
  expect(names).not.toContain("SLACK_SIGNING_SECRET");
});

test("whoever migrates is another user than the services, with a password that RDS keeps (HB-aws-24)", async () => {
  const output = await synthesized(makePolicy());
  const user = output.resource("aws_rds_cluster", "database").master_username;
  const AS_OWNER = ["migrate", "prepare"];
  for (const name of AS_OWNER) {
    const [task] = containers(output).filter((one) => one.name === name);
    expect(task.environment).toContainEqual({
      name: "DATABASE_URL",
      value: expect.stringContaining(`//${user}@`),
    });
    expect(task.command).toEqual(["db", name]);
  }
  const others = containers(output).filter(({ name }) => !AS_OWNER.includes(name));
  expect(JSON.stringify(others)).not.toContain("migrator_secret_arn");
});

test("without a PagerDuty receiver there are no secrets of PagerDuty to fill (X-70)", async () => {
  const policy = makePolicy();
  const { ops } = policy.routes.receivers;
  const quiet: PolicySet = { ...policy, routes: { ...policy.routes, receivers: { ops: ops! } } };
  const output = await synthesized(quiet);
  expect(JSON.stringify(output.texts)).not.toContain("PAGERDUTY");
});

test("whoever prepares may put the values that are ours to make, read the address alone, and has no value of its own (X-33)", async () => {
  const output = await synthesized(makePolicy());
  const role = output.resource("aws_iam_role_policy", "prepare-task-policy");
  const arns = (names: readonly string[]) =>
    names.map((name) => `\${aws_secretsmanager_secret.secret-${name}.arn}`);
  const [put, read, key, ...more] = JSON.parse(String(role.policy)).Statement;
  expect(put).toMatchObject({
    Action: ["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"],
    Resource: arns(["database-url", "redis-password", "webhook-secret", "jwt-secret"]),
  });
  expect(read).toMatchObject({
    Action: ["secretsmanager:GetSecretValue"],
    Resource: arns(["database-url"]),
  });
  expect(Object.keys(key.Condition.StringEquals)).toEqual(["kms:ViaService"]);
  expect(more).toEqual([]);
  const [task] = containers(output).filter(({ name }) => name === "prepare");
  expect(task.secrets.map(({ name }: { name: string }) => name)).toEqual(["PGPASSWORD"]);
});

test("where it is run stands in its tags: there is no service yet whose network it could take", async () => {
  const output = await synthesized(makePolicy());
  expect(output.resource("aws_ecs_task_definition", "prepare-task").tags).toEqual({
    subnets: `\${join(" ", data.terraform_remote_state.network.outputs.private_subnet_ids)}`,
    groups: `\${data.terraform_remote_state.network.outputs.task_group_id}`,
  });
});

test("each service may read only the secrets it runs with", async () => {
  const output = await synthesized(makePolicy());
  for (const { name, secrets } of containers(output)) {
    const grant = output.resource("aws_iam_role_policy", `${name}-execution-secrets`);
    const [statement] = JSON.parse(String(grant.policy)).Statement;
    // One key of a secret is read by the right to the whole.
    const read = secrets.map(({ valueFrom }: { valueFrom: string }) =>
      valueFrom.replace(/:password::$/, ""),
    );
    expect([...statement.Resource].sort()).toEqual([...read].sort());
  }
});
